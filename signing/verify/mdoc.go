package verify

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/signing/mdoc"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
)

// mdocument is an mdoc under judgement.
type mdocument struct {
	parsed   mdoc.Parsed
	verified mdoc.Verified
}

// mdocBytes tells an mdoc from an SD-JWT by its first byte: CBOR starts with a map, which text never does; in base64url there is neither
// dot nor tilde.
func mdocBytes(presentation string) ([]byte, bool) {
	isMap := func(s string) bool { return s != "" && s[0]>>5 == 5 }
	if isMap(presentation) {
		return []byte(presentation), true
	}
	text := strings.Trim(presentation, space)
	if strings.ContainsAny(text, "\r\n") { // Go's decoder would skip them
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return b, err == nil && isMap(string(b))
}

// IsMdoc reports whether Verify would take the presentation for an mdoc. Whether it is a good one is another question.
func IsMdoc(presentation string) bool {
	_, is := mdocBytes(presentation)
	return is
}

// AsText is the presentation that a file holds as text: of an mdoc in CBOR its base64url, of anything else the text without the white space around it. What
// handles text, which trims and searches it, can't hurt it then.
func AsText(file []byte) string {
	if len(file) > 0 && file[0]>>5 == 5 {
		return base64.RawURLEncoding.EncodeToString(file)
	}
	return strings.Trim(string(file), space)
}

// readMdoc reads IssuerSigned or a DeviceResponse, and says in the place of claims what the MSO says, so that the checks
// of time and status are the same for both formats. Elements never get there: they can't stand in for a registered claim.
func (r *run) readMdoc(b []byte) Check {
	parsed, err := mdoc.ParseIssuerSigned(b)
	if docs, other := mdoc.ParseDeviceResponse(b); other == nil {
		if len(docs) > 1 {
			return unknown(report.ReasonSeveral, "a response of several documents; one can be judged at a time")
		}
		parsed, err = docs[0], nil
	} else if looksLikeResponse(err) {
		err = other
	}
	if err != nil {
		return fail(report.ReasonMalformed, err.Error())
	}
	r.mdoc, r.issued = &mdocument{parsed: parsed}, parsed.UnverifiedValidity().Signed
	number := func(t time.Time) json.Number { return json.Number(jsonInt(t.Unix())) }
	v := parsed.UnverifiedValidity()
	r.claims = map[string]any{"iat": number(v.Signed), "nbf": number(v.ValidFrom), "exp": number(v.ValidUntil)}
	if ref, ok := parsed.UnverifiedStatus(); ok {
		r.claims["status"] = map[string]any{"status_list": map[string]any{"uri": ref.URI, "idx": json.Number(jsonInt(ref.Index))}}
	}
	r.readTerm()
	return pass("well-formed mdoc; every element has its digest")
}

// looksLikeResponse: what isn't IssuerSigned at all was meant as the other form, whose error says more.
func looksLikeResponse(err error) bool { return errors.Is(err, mdoc.ErrNotIssuerSigned) }

func jsonInt(n int64) string {
	b, _ := json.Marshal(n) // a number always can be written
	return string(b)
}

// readTerm finds the licence's own first and last day, which are another thing than validityInfo.
func (r *run) readTerm() {
	for _, elements := range r.mdoc.parsed.UnverifiedElements() {
		for id, claim := range map[string]string{"expiry_date": "valid_to", "valid_to": "valid_to", "issue_date": "valid_from", "valid_from": "valid_from"} {
			var day string
			switch v := elements[id].(type) {
			case mdoc.FullDate:
				day = string(v)
			case mdoc.TDate:
				t, err := v.Time()
				if err != nil {
					continue
				}
				day = t.In(report.Beijing).Format(time.DateOnly)
			default:
				continue
			}
			// Two namespaces may say it; the stricter one counts.
			old, there := r.claims[claim].(string)
			if !there || claim == "valid_to" && day < old || claim == "valid_from" && day > old {
				r.claims[claim] = day
			}
		}
	}
}

// mdocCountry compares the issuing country that an mDL shows with the one of its signer's certificate (ISO/IEC 18013-5 section 7.2.1). It
// returns what is wrong, empty when nothing is.
func (r *run) mdocCountry() string {
	if r.mdoc == nil {
		return ""
	}
	elements, subject := r.mdoc.parsed.UnverifiedElements()[mdoc.MDLNameSpace], r.chain.Leaf.Subject
	if country, shown := elements["issuing_country"]; shown && (len(subject.Country) != 1 || country != subject.Country[0]) {
		return "the document names another issuing country than its signer's certificate"
	}
	if place, shown := elements["issuing_jurisdiction"]; shown && len(subject.Province) > 0 && place != subject.Province[0] {
		return "the document names another jurisdiction than its signer's certificate"
	}
	return ""
}

// checkDevice judges whether the one who shows the mdoc holds its key: device authentication over the transcript of the caller's challenge (mdoc.Challenge).
// As with SD-JWT, what is needed is the caller's decision. A transcript has no time in it, so who gave the nonce out says how long it holds, and nothing
// can be shown for a purpose without being asked.
func (r *run) checkDevice() Check {
	if r.challenge.HolderAny {
		return Check{Result: Pass, Reason: report.ReasonNotAsked, Detail: "the document alone was asked for; who shows it isn't judged"}
	}
	asked := r.challenge.Nonce != "" && r.challenge.Audience != ""
	transcript, err := mdoc.Challenge(r.challenge.Nonce, r.challenge.Audience)
	if err != nil {
		return fail(report.ReasonOtherAnswer, "the challenge can't be encoded")
	}
	err = r.mdoc.verified.DeviceAuth(transcript)
	switch {
	case errors.Is(err, mdoc.ErrNoDeviceAuth):
		return unknown(report.ReasonNoProof, "no proof came along: genuine, but who shows it isn't proven")
	case errors.Is(err, mdoc.ErrDeviceMAC):
		return unknown(report.ReasonNoProof, "the device proved itself by a MAC, which only the reader that it spoke to can check")
	case errors.Is(err, mdoc.ErrKeyAuthorization):
		return fail(report.ReasonWrongProof, "the device added elements that the issuer doesn't let it add")
	case !asked:
		return unknown(report.ReasonNoChallenge, "a proof came along, but there is no challenge to compare it with")
	case err != nil:
		return fail(report.ReasonOtherAnswer, "the holder's proof is of another key, or answers another challenge")
	case r.challenge.Used:
		return fail(report.ReasonUsed, "an answer to this challenge was accepted before")
	}
	r.holder = r.mdoc.verified.DeviceKey().Thumbprint()
	return pass("the holder's key answered this challenge")
}

// shown are the elements by namespace, in the types of JSON.
func (m *mdocument) shown() map[string]any {
	out := map[string]any{}
	for name, elements := range m.verified.Elements() {
		space := map[string]any{}
		for id, v := range elements {
			space[id] = jsonValue(v)
		}
		out[name] = space
	}
	return out
}

// jsonValue turns an element's value into JSON: dates are text, pictures data URLs as in SD-JWT VC, other bytes base64url.
func jsonValue(v any) any {
	switch v := v.(type) {
	case mdoc.FullDate:
		return string(v)
	case mdoc.TDate:
		return string(v)
	case []byte:
		for _, kind := range []struct{ magic, name string }{{"\xff\xd8\xff", "jpeg"}, {"\x89PNG\r\n\x1a\n", "png"}, {"\x00\x00\x00\x0cjP  ", "jp2"}} {
			if strings.HasPrefix(string(v), kind.magic) {
				return "data:image/" + kind.name + ";base64," + base64.StdEncoding.EncodeToString(v)
			}
		}
		return base64.RawURLEncoding.EncodeToString(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = jsonValue(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = jsonValue(e)
		}
		return out
	}
	return v
}

// hidden are the mandatory elements of an mDL that stayed with the holder. What else there is, no reader can know: digests have no names.
func (m *mdocument) hidden() []report.Hidden {
	if m.parsed.DocType() != mdoc.MDL || m.parsed.Hidden() == 0 {
		return nil
	}
	var out []report.Hidden
	for _, e := range mdlElements {
		if _, shown := m.parsed.UnverifiedElements()[mdoc.MDLNameSpace][e.id]; e.mandatory && !shown {
			out = append(out, report.Hidden{Path: e.id, Labels: map[string]string{"zh": e.zh, "en": e.en}})
		}
	}
	return out
}

// mdlElements are elements of ISO/IEC 18013-5 section 7.2.1, in the order in which a person reads them.
var mdlElements = []struct {
	id, zh, en string
	mandatory  bool
}{
	{"portrait", "照片", "Portrait", true},
	{"family_name", "姓（拉丁字母）", "Family name in Latin letters", true},
	{"given_name", "名（拉丁字母）", "Given names in Latin letters", true},
	{"sex", "性别", "Sex", false},
	{"birth_date", "出生日期", "Date of birth", true},
	{"document_number", "证号", "Document number", true},
	{"driving_privileges", "准驾类别", "Driving privileges", true},
	{"issue_date", "签发日期", "Date of issue", true},
	{"expiry_date", "有效期截止", "Date of expiry", true},
	{"issuing_authority", "发证机关", "Issuing authority", true},
	{"issuing_country", "签发国", "Issuing country", true},
	{"un_distinguishing_sign", "国家识别标志", "Distinguishing sign", true},
}

// mdocLabels are the labels of elements: those of the standard, and those that the type's metadata give to claims of the same name.
func mdocLabels(meta *typeMetadata) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, e := range mdlElements {
		out[e.id] = map[string]string{"zh": e.zh, "en": e.en}
	}
	if meta != nil {
		for name, labels := range meta.labels {
			out[name] = labels
		}
	}
	return out
}

// mdocOrder is the order of rows: that of the standard, then of the type's metadata.
func mdocOrder(meta *typeMetadata) []string {
	var out []string
	for _, e := range mdlElements {
		out = append(out, e.id)
	}
	if meta == nil {
		return out
	}
	for _, c := range meta.claims {
		if name, ok := c.path[0].(string); ok && len(c.path) == 1 && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
