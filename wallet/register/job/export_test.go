package job

import (
	"bufio"
	"errors"
	"io"

	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// CountRecords reads CSV as an upload does.
func CountRecords(r io.Reader, typeID string) (int, error) {
	types, err := licencetype.Load("https://id.example")
	if err != nil {
		return 0, err
	}
	t, err := newTable(bufio.NewReader(r), typeID, types)
	for n := 0; err == nil; n++ {
		if _, err = t.next(); errors.Is(err, io.EOF) {
			return n, nil
		}
	}
	return 0, err
}
