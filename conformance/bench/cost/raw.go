package cost

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
)

// Raw is the CPU cost of one ES256 signature and one check, in microseconds.
type Raw struct{ Sign, Verify float64 }

// Rounds make a run of about a tenth of a second, ten ticks of the kernel's clock; each is repeated.
const (
	Rounds  = 4000
	repeats = 5
)

// Signature measures the floor: what crypto/ecdsa alone takes on one thread.
func Signature() (Raw, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Raw{}, err
	}
	digest := sha256.Sum256([]byte("hufu"))
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		return Raw{}, err
	}
	var out Raw
	if out.Sign, err = Own(Rounds*repeats, func() error {
		_, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		return err
	}); err != nil {
		return Raw{}, err
	}
	out.Verify, err = Own(Rounds*repeats, func() error {
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
			return errors.New("a good signature was refused")
		}
		return nil
	})
	return out, err
}

// Own is the CPU time of this process per call. Nothing else runs in it meanwhile but the sample province, which is idle.
func Own(n int, f func() error) (float64, error) {
	before, err := Of(os.Getpid())
	if err != nil {
		return 0, err
	}
	for range n {
		if err := f(); err != nil {
			return 0, err
		}
	}
	after, err := Of(os.Getpid())
	return (after - before) / float64(n), err
}
