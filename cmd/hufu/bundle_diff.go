package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/hufu-id/hufu/signing/bundle"
)

// bundleChange is one difference: what kind of part, which one, and whether it was added, removed or changed.
type bundleChange struct {
	Part   string `json:"part"`
	Name   string `json:"name"`
	Change string `json:"change"`
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
}

// diffBundles compares what two bundles say. Facts come as strings by name, so one comparison does for all parts.
func diffBundles(a, b *bundle.Contents) []bundleChange {
	var out []bundleChange
	left, right := facts(a), facts(b)
	for _, part := range []string{"version", "root", "anchor", "issuer", "type", "image", "status_list", "status_list_cwt", "policy"} {
		names := map[string]bool{}
		for name := range left[part] {
			names[name] = true
		}
		for name := range right[part] {
			names[name] = true
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			from, had := left[part][name]
			to, has := right[part][name]
			switch {
			case had && !has:
				out = append(out, bundleChange{part, name, "removed", from, ""})
			case !had && has:
				out = append(out, bundleChange{part, name, "added", "", to})
			case from != to:
				out = append(out, bundleChange{part, name, "changed", from, to})
			}
		}
	}
	return out
}

// facts flattens contents: short values as they are, long ones as hash.
func facts(c *bundle.Contents) map[string]map[string]string {
	f := map[string]map[string]string{"anchor": {}, "issuer": {}, "type": {}, "status_list": {}, "status_list_cwt": {}, "image": {}, "policy": {},
		"version": {"bundle": fmt.Sprint(c.Version)}, "root": {"root": fmt.Sprintf("%d %s", c.RootVersion, c.RootFingerprint)}}
	for _, a := range c.Anchors {
		f["anchor"][a.Purpose+" "+bundle.Fingerprint(a.DER)] = ""
	}
	for _, i := range c.Issuers {
		var text bytes.Buffer
		fmt.Fprintf(&text, "%v", i.Name)
		f["issuer"][i.Code] = i.ID
		f["issuer"][i.Code+" name"] = text.String()
		for _, a := range i.Authorised {
			f["issuer"][i.Code+" may issue "+describeAuthorisation(a)] = ""
		}
		for _, cert := range i.Certificates {
			f["issuer"][i.Code+" certificate "+bundle.Fingerprint(cert)] = ""
		}
		for _, r := range i.Revoked {
			f["issuer"][i.Code+" withdrawn key "+r.Thumbprint] = stampOf(r.CompromisedAt)
		}
	}
	for vct, t := range c.Types {
		f["type"][vct] = t.Integrity
	}
	for uri, token := range c.StatusLists {
		f["status_list"][uri] = stampOf(claimedIssue(token)) + " " + bundle.Fingerprint([]byte(token))[:16]
	}
	for uri, token := range c.CWTLists {
		f["status_list_cwt"][uri] = bundle.Fingerprint(token)[:16]
	}
	for uri, image := range c.Images {
		f["image"][uri] = image.Integrity
	}
	for vct, d := range c.Policy.StatusMaxAge {
		f["policy"]["status_max_age "+vct] = d.String()
	}
	return f
}

func showDiff(w io.Writer, lang string, asJSON bool, changes []bundleChange) error {
	if asJSON {
		for _, c := range changes {
			if err := writeJSON(w, c); err != nil {
				return exitError{exitUsage, err}
			}
		}
		return nil
	}
	if len(changes) == 0 {
		fmt.Fprintln(w, say(lang, "no_diff"))
	}
	sign := map[string]string{"added": "+", "removed": "-", "changed": "~"}
	for _, c := range changes {
		line := fmt.Sprintf("%s %s %s", sign[c.Change], c.Part, c.Name)
		if c.From != "" || c.To != "" {
			line += fmt.Sprintf(": %s -> %s", c.From, c.To)
		}
		fmt.Fprintln(w, clean(line))
	}
	return nil
}
