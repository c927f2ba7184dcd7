package licencecmd

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/legal"
	"github.com/hufu-id/hufu/wallet/register/registerapi"
)

// succession is what `renew`, `change` and `transfer` share.
type succession struct {
	operation string
	file      string
	set       []string
	validFrom string
	validTo   string
	reason    string
	effective string
}

func licenceSucceedCmd(f *licenceFlags, use, operation, short string) *cobra.Command {
	o := &succession{operation: operation}
	op, _ := legal.Find(register.Successions, operation)
	cmd := &cobra.Command{
		Use:   use + " ID --reason TEXT",
		Short: short,
		Long: short + " (" + op.ZH + ", operation " + op.Code + "): " + op.Effect.EN + ".\n\n" +
			"The new record is the old one with what --valid-from, --valid-to and --set say, or the whole record in --record FILE (JSON).\n" +
			"--set NAME=VALUE sets a field, NAME=@FILE takes an image from a file, NAME=[\"a\",\"b\"] a list; holder.name=VALUE the holder's name.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, func(c *departmentClient) (any, func(*printer), error) {
				l, err := o.send(cmd, c, args[0])
				return l, func(p *printer) { p.succeeded(op, args[0], l) }, err
			})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&o.file, "record", "", "file with the whole new record, as for import")
	fl.StringArrayVar(&o.set, "set", nil, "NAME=VALUE of a field that changes (repeatable)")
	fl.StringVar(&o.validFrom, "valid-from", "", "first day of the new licence, YYYY-MM-DD")
	fl.StringVar(&o.validTo, "valid-to", "", `last day of the new licence, YYYY-MM-DD; "none" for the long term`)
	fl.StringVar(&o.reason, "reason", "", "why, in words that the holder may read (required)")
	fl.StringVar(&o.effective, "effective-at", "", "when the act took legal effect, RFC 3339; now if empty")
	return cmd
}

// send puts the new record together and asks for the act.
func (o *succession) send(cmd *cobra.Command, c *departmentClient, id string) (l registerapi.LicenceView, err error) {
	if o.reason == "" {
		return l, deptclient.Usage("--reason is needed: the law asks for one, and the holder will read it")
	}
	path := "/register/v1/licences/" + url.PathEscape(id)
	record, err := o.record(cmd, c, path)
	if err != nil {
		return l, err
	}
	request := map[string]any{"operation": o.operation, "reason": o.reason, "record": record}
	if o.effective != "" {
		if _, err := time.Parse(time.RFC3339, o.effective); err != nil {
			return l, deptclient.Usage("--effective-at must look like 2026-11-23T09:00:00+08:00")
		}
		request["effective_at"] = o.effective
	}
	body, err := json.Marshal(request)
	if err != nil {
		return l, err
	}
	err = c.Call(cmd.Context(), http.MethodPost, path+"/successors", "application/json", body, &l)
	return l, err
}

func (o *succession) record(cmd *cobra.Command, c *departmentClient, path string) (map[string]any, error) {
	record := map[string]any{}
	switch {
	case o.file != "":
		b, err := os.ReadFile(o.file)
		if err != nil {
			return nil, fmt.Errorf("the record can't be read: %w", err)
		}
		if err := json.Unmarshal(b, &record); err != nil {
			return nil, deptclient.Usage("%s is not one record in JSON", o.file)
		}
	case o.operation == "transfer_in":
		return nil, deptclient.Usage("--record FILE is needed: the other authority's record can't be seen here")
	default:
		var old registerapi.LicenceView
		if err := c.Call(cmd.Context(), http.MethodGet, path, "", nil, &old); err != nil {
			return nil, err
		}
		record = map[string]any{"type": old.Type, "record_number": old.RecordNumber, "holder": old.Holder, "fields": old.Fields, "valid_from": old.ValidFrom, "valid_to": old.ValidTo}
		if old.Fields == nil {
			record["fields"] = map[string]any{}
		}
	}
	if o.validFrom != "" {
		record["valid_from"] = o.validFrom
	}
	switch o.validTo {
	case "":
	case "none":
		delete(record, "valid_to")
	default:
		record["valid_to"] = o.validTo
	}
	for _, s := range o.set {
		if err := setField(record, s); err != nil {
			return nil, err
		}
	}
	return record, nil
}

// setField does one --set.
func setField(record map[string]any, text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return deptclient.Usage("--set must look like NAME=VALUE")
	}
	var v any = value
	switch {
	case strings.HasPrefix(value, "@"):
		b, err := os.ReadFile(value[1:])
		if err != nil {
			return fmt.Errorf("the image can't be read: %w", err)
		}
		v = base64.StdEncoding.EncodeToString(b)
	case strings.HasPrefix(value, "["):
		var list []string
		if err := json.Unmarshal([]byte(value), &list); err != nil {
			return deptclient.Usage(`--set of a list must look like NAME=["a","b"]`)
		}
		v = list
	}
	if name == "holder.name" {
		holder, ok := record["holder"].(register.Holder)
		if !ok {
			return deptclient.Usage("--set holder.name goes with the old record; write it into --record FILE instead")
		}
		holder.Name = value
		record["holder"] = holder
		return nil
	}
	fields, ok := record["fields"].(map[string]any)
	if !ok {
		return deptclient.Usage("the record has no fields")
	}
	fields[strings.TrimPrefix(name, "fields.")] = v
	return nil
}

func (p *printer) succeeded(op register.Operation, old string, l registerapi.LicenceView) {
	p.line("Done: %s (%s). The new licence is %s.", op.EN, op.ZH, l.ID)
	p.line("  follows  %s, which is now %s %s", clean(old), op.To.Info().EN, op.To.Info().ZH)
	p.line("  holder   %s", clean(l.Holder.Name))
	p.line("  term     %s", validity(l))
	p.line("Credentials of the old licence show this in the status lists within 10 seconds. The holder takes the new one into her wallet.")
}
