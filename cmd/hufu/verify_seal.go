package main

import (
	"crypto/sha256"
	"io"
	"os"
	"time"

	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/jades"
	"github.com/hufu-id/hufu/signing/verify"
	"github.com/hufu-id/hufu/signing/verify/seal"
)

// judgeSealed judges a document of any size by its digest, and the signature that seals it.
func judgeSealed(stdin io.Reader, signature, file string, b *bundle.Contents, at time.Time, p verify.Policy) (verify.Verdict, error) {
	sig, err := readLimited(nil, signature, jades.MaxBytes)
	if err != nil {
		return verify.Verdict{}, err
	}
	digest, err := digestOf(stdin, file)
	if err != nil {
		return verify.Verdict{}, exitError{exitUsage, err}
	}
	return seal.Verify(sig, digest, b, at, p), nil
}

func digestOf(stdin io.Reader, name string) (out [32]byte, err error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return out, err
		}
		defer f.Close()
		in = f
	}
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return out, err
	}
	return [32]byte(h.Sum(nil)), nil
}
