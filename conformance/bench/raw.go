package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
)

// raw is the CPU cost of one ES256 signature and one check, in microseconds.
type raw struct{ sign, verify float64 }

// rounds make a run of about a tenth of a second, ten ticks of the kernel's clock; each is repeated.
const (
	rounds  = 4000
	repeats = 5
)

// rawCost measures the floor: what crypto/ecdsa alone takes on one thread.
func rawCost() (raw, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return raw{}, err
	}
	digest := sha256.Sum256([]byte("hufu"))
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		return raw{}, err
	}
	var out raw
	if out.sign, err = own(rounds*repeats, func() error {
		_, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		return err
	}); err != nil {
		return raw{}, err
	}
	out.verify, err = own(rounds*repeats, func() error {
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
			return errors.New("a good signature was refused")
		}
		return nil
	})
	return out, err
}

// own is the CPU time of this process per call. Nothing else runs in it meanwhile but the sample province, which is idle.
func own(n int, f func() error) (float64, error) {
	before, err := cpuOf(os.Getpid())
	if err != nil {
		return 0, err
	}
	for range n {
		if err := f(); err != nil {
			return 0, err
		}
	}
	after, err := cpuOf(os.Getpid())
	return (after - before) / float64(n), err
}
