package records

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/hufu-id/hufu/internal/gb"
)

// WriteLines writes n records of vehicle licences as JSON Lines, numbered from first on: some 600 bytes each, every one of another holder. It
// is the file of measurements; a million are 620 MB.
func WriteLines(w io.Writer, first, n int) error {
	b := bufio.NewWriterSize(w, 1<<20)
	for i := first; i < first+n; i++ {
		// Holders are spread over the days of 1950 to 1999 and the sequence numbers of a day.
		const days = 18000
		id, err := gb.MakeResidentID("994401", time.Date(1950, 1, 1+i%days, 0, 0, 0, 0, time.UTC), i/days%999+1)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, `{"type":"vehicle-licence","record_number":"BULK-%08d","holder":{"name":"样本人%d","code":"%s","code_type":"111","reference":"bulk-%08d"},`+
			`"fields":{"plate":"沙A%07d","vehicle_type":"小型轿车","address":"沙箱省测试市样本路 %d 号","use":"private","brand_model":"样本牌 SB1000","vin":"LSAMPLE00%08d","engine_number":"SB%08d",`+
			`"register_date":"2024-03-01","inspection_valid_to":"2030-03-31","issuing_authority":"沙箱省公安厅交通管理局"},"valid_from":"2024-03-01","valid_to":"2034-03-01"}`+"\n",
			i, i, id, i, i%10000000, i%500, i, i)
	}
	return b.Flush()
}
