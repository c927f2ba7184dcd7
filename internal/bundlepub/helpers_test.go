package bundlepub_test

import "github.com/hufu-id/hufu/internal/audit"

func event() audit.Event {
	return audit.Event{Kind: "bundle.version_reserved", Actor: "system", Subject: "bundle"}
}
