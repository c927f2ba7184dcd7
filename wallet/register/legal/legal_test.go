package legal_test

import (
	"slices"
	"testing"

	"github.com/hufu-id/hufu/wallet/register/legal"
)

func TestTheTablesHoldTogether(t *testing.T) {
	states := map[legal.Status]bool{}
	for _, s := range legal.Statuses {
		if states[s.Status] || s.Name == "" || s.ZH == "" || s.EN == "" || s.Holder.ZH == "" || s.Holder.EN == "" || s.Token > 2 {
			t.Errorf("state %+v", s)
		}
		states[s.Status] = true
		leaves := slices.ContainsFunc(slices.Concat(legal.Operations, legal.Successions), func(o legal.Operation) bool { return o.Allows(s.Status) })
		if leaves == s.Final {
			t.Errorf("%s: final %v, but acts follow: %v", s.Name, s.Final, leaves)
		}
	}
	names := map[string]bool{}
	for _, o := range slices.Concat(legal.Operations, legal.Successions) {
		if names[o.Name] || len(o.Code) != 2 || o.Effect.ZH == "" || o.Effect.EN == "" || !states[o.To] || len(o.From) == 0 {
			t.Errorf("act %+v", o)
		}
		names[o.Name] = true
		for _, from := range o.From {
			if !states[from] {
				t.Errorf("%s from %s", o.Name, from)
			}
		}
		// What can be taken back is taken back into the state that it came from, and a penalty or an end can't be.
		if o.Undo != "" {
			back, ok := legal.Find(legal.Operations, o.Undo)
			if !ok || !back.Allows(o.To) || !slices.Contains(o.From, back.To) {
				t.Errorf("%s is undone by %q", o.Name, o.Undo)
			}
		}
	}
	for name, want := range map[string]string{"revoke": "", "annul": "", "cancel": "", "withhold": "restore", "transfer_out": "undo_transfer_out"} {
		if o, ok := legal.Find(legal.Operations, name); !ok || o.Undo != want {
			t.Errorf("%s is undone by %q", name, o.Undo)
		}
	}
	// The operation codes of the standards, each of which some act has, but for 01, the import.
	codes := map[string]bool{"01": true}
	for _, o := range slices.Concat(legal.Operations, legal.Successions) {
		codes[o.Code] = true
	}
	if len(codes) != 10 {
		t.Errorf("operation codes %v", codes)
	}
}
