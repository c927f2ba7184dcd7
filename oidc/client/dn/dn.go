// Package dn compares distinguished names as RFC 4514 writes them with those of certificates. Pure.
package dn

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

var errDN = errors.New("not a distinguished name as RFC 4514 writes it")

// attributeTypes are the short names that may stand for an OID (RFC 4514 section 3, and three more that are in use).
var attributeTypes = map[string]string{
	"CN": "2.5.4.3", "SERIALNUMBER": "2.5.4.5", "C": "2.5.4.6", "L": "2.5.4.7", "ST": "2.5.4.8", "STREET": "2.5.4.9", "O": "2.5.4.10", "OU": "2.5.4.11",
	"ORGANIZATIONIDENTIFIER": "2.5.4.97", "UID": "0.9.2342.19200300.100.1.1", "DC": "0.9.2342.19200300.100.1.25", "EMAILADDRESS": "1.2.840.113549.1.9.1",
}

// name is a distinguished name in the order of RFC 4514: the last RDN of the certificate first. An RDN is a sorted set of "OID=value".
type name [][]string

// Same says whether text is the subject of a certificate. Spelling (escapes, spaces around separators, names of types) doesn't count; values do.
func Same(text string, rawSubject []byte) bool {
	want, err := parse(text)
	if err != nil {
		return false
	}
	var sequence pkix.RDNSequence
	if rest, err := asn1.Unmarshal(rawSubject, &sequence); err != nil || len(rest) > 0 {
		return false
	}
	got := make(name, 0, len(sequence))
	for _, rdn := range slices.Backward(sequence) {
		var set []string
		for _, a := range rdn {
			value, ok := a.Value.(string)
			if !ok {
				return false
			}
			set = append(set, a.Type.String()+"="+value)
		}
		slices.Sort(set)
		got = append(got, set)
	}
	return slices.EqualFunc(want, got, slices.Equal[[]string])
}

// parse reads a distinguished name (RFC 4514 section 3). Values written as "#" and hexadecimal BER are refused.
func parse(text string) (name, error) {
	if len(text) > 1000 || !utf8.ValidString(text) {
		return nil, errDN
	}
	var out name
	var set []string
	for rest := text; ; {
		kind, after, ok := strings.Cut(rest, "=")
		kind = strings.TrimSpace(kind)
		if oid, known := attributeTypes[strings.ToUpper(kind)]; known {
			kind = oid
		} else if kind == "" || strings.Trim(kind, "0123456789.") != "" {
			return nil, errDN
		}
		value, end, err := dnValue(after)
		if err != nil || !ok {
			return nil, errDN
		}
		set = append(set, kind+"="+value)
		if end < len(after) && after[end] == '+' {
			rest = after[end+1:]
			continue
		}
		slices.Sort(set)
		out, set = append(out, set), nil
		if end == len(after) {
			return out, nil
		}
		rest = after[end+1:]
	}
}

// dnValue reads a value up to its unescaped "," or "+" and returns where that is. Spaces around it don't count unless they are escaped.
func dnValue(s string) (value string, end int, err error) {
	start := len(s) - len(strings.TrimLeft(s, " "))
	var b []byte
	kept := 0 // length up to which trailing spaces belong to the value
	for i := start; i < len(s); i++ {
		switch c := s[i]; {
		case c == ',' || c == '+':
			return string(b[:kept]), i, checkValue(b[:kept])
		case c == '\\' && i+1 < len(s) && strings.IndexByte(` "#+,;<=>\`, s[i+1]) >= 0:
			i++
			b = append(b, s[i])
			kept = len(b)
		case c == '\\':
			if i+2 >= len(s) {
				return "", 0, errDN
			}
			octet, err := hex.DecodeString(s[i+1 : i+3])
			if err != nil {
				return "", 0, errDN
			}
			i += 2
			b = append(b, octet...)
			kept = len(b)
		case c == '"' || c == ';' || c == '<' || c == '>' || c == 0 || c == '#' && i == start:
			return "", 0, errDN
		default:
			b = append(b, c)
			if c != ' ' {
				kept = len(b)
			}
		}
	}
	return string(b[:kept]), len(s), checkValue(b[:kept])
}

// checkValue refuses what escapes can make and no certificate's text holds.
func checkValue(b []byte) error {
	if !utf8.Valid(b) {
		return errDN
	}
	return nil
}
