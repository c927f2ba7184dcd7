package web

import (
	"embed"
	"fmt"
	"html"
	"html/template"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hufu-id/hufu/web/messages"
)

//go:embed templates/*.html
var templateFiles embed.FS

// parseTemplates returns one ready set per language and page, named "zh/consent". The language is bound at parse time, so no template
// can forget to pass it on.
func parseTemplates(a *assets) (map[string]*template.Template, error) {
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	all := map[string]*template.Template{}
	for _, l := range messages.Langs {
		made := &tiles{}
		base, err := template.New("base").Funcs(language{l, a}.funcs()).Funcs(template.FuncMap{"tile": made.html}).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
		for _, f := range files {
			name := strings.TrimSuffix(f.Name(), ".html")
			if name == "layout" || name == "parts" {
				continue
			}
			t, err := base.Clone()
			if err == nil {
				t, err = t.ParseFS(templateFiles, path.Join("templates", f.Name()))
			}
			if err != nil {
				return nil, fmt.Errorf("web: %w", err)
			}
			if name == "chooser" {
				if made.set, err = t.Clone(); err != nil {
					return nil, fmt.Errorf("web: %w", err)
				}
			}
			all[string(l)+"/"+name] = t
		}
	}
	return all, nil
}

// language holds the template functions of one language.
type language struct {
	lang   Lang
	assets *assets
}

func (l language) funcs() template.FuncMap {
	return template.FuncMap{
		"asset":   func(name string) string { return l.assets.href[name] },
		"clauses": l.clauses,
		"clock":   func(t time.Time) template.HTML { return template.HTML(`<span class="n">` + Clock(t) + `</span>`) },
		"date":    l.date,
		"lang":    func() string { return string(l.lang) },
		"office":  l.office,
		"person":  l.person,
		"r":       l.rich,
		"say":     l.say,
		"t":       l.plain,
		"tag":     func() string { return l.lang.Tag() },
		"zh":      l.zhAttr,
	}
}

// plain returns a message as text, for attributes, titles and sentences that need no marks. args alternate name and value.
func (l language) plain(key string, args ...any) (string, error) {
	m, err := pairs(args, func(v any) (Text, error) {
		switch v := v.(type) {
		case Text:
			return v, nil
		case string:
			return Plain(v), nil
		case int:
			return Plain(strconv.Itoa(v)), nil
		}
		return Text{}, fmt.Errorf("web: message %s: argument of type %T", key, v)
	})
	if err != nil {
		return "", err
	}
	return messages.In(l.lang, key, m), nil
}

// bold finds the marks around bold text.
var bold = regexp.MustCompile(`\*\*([^*]+)\*\*`)

// rich returns a message as HTML: bold words, phrases that don't break in Chinese, and arguments that may be HTML themselves. Arguments
// are put in after the marks were read, so a registered name with a "|" is only a name.
func (l language) rich(key string, args ...any) (template.HTML, error) {
	var values []string
	m, err := pairs(args, func(v any) (Text, error) {
		switch v := v.(type) {
		case int: // decides plurals, so it stays a number
			return Plain(strconv.Itoa(v)), nil
		case template.HTML:
			values = append(values, string(v))
		case Text:
			values = append(values, string(l.say(v)))
		case string:
			values = append(values, string(l.say(Plain(v))))
		default:
			return Text{}, fmt.Errorf("web: message %s: argument of type %T", key, v)
		}
		return Plain(string(rune(0xF0000 + len(values) - 1))), nil
	})
	if err != nil {
		return "", err
	}
	s := l.markHan(html.EscapeString(messages.Marked(l.lang, key, m)))
	s = bold.ReplaceAllString(s, "<b>$1</b>")
	s = phrases(strings.Split(s, "|"))
	for i, v := range values {
		s = strings.ReplaceAll(s, string(rune(0xF0000+i)), v)
	}
	return template.HTML(s), nil
}

func pairs(args []any, text func(any) (Text, error)) (Args, error) {
	m := Args{}
	for i := 0; i+1 < len(args); i += 2 {
		name, ok := args[i].(string)
		if !ok {
			return nil, fmt.Errorf("web: message argument name of type %T", args[i])
		}
		v, err := text(args[i+1])
		if err != nil {
			return nil, err
		}
		m[name] = v
	}
	return m, nil
}

// phrases wraps each part so that a line breaks between and not inside them. One part needs no wrapping.
func phrases(parts []string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	return `<span class="nb">` + strings.Join(parts, `</span><span class="nb">`) + `</span>`
}

// say returns text in the page's language; what is in another language is marked with its own lang attribute.
func (l language) say(t Text) template.HTML {
	s, in := t.In(l.lang)
	s = html.EscapeString(s)
	if t.Picture != "" {
		return template.HTML(`<img class="portrait" src="` + html.EscapeString(t.Picture) + `" alt="` + s + `">`)
	}
	if l.lang == ZH && in == EN {
		return template.HTML(`<span lang="en">` + s + `</span>`)
	}
	s = zhDate.ReplaceAllString(l.markHan(s), `<span class="nb">$0</span>`)
	if l.lang == ZH {
		s = lastSentence.ReplaceAllString(s, `。<span class="nb">$1</span>`)
	}
	return template.HTML(s)
}

// lastSentence matches a short closing sentence (这不是您的错。), which is not broken: half of it alone on a line reads badly.
var lastSentence = regexp.MustCompile(`。([^。<>]{2,9}。)$`)

// zhDate matches a Chinese date, which is set without spaces and on one line.
var zhDate = regexp.MustCompile(`\d{4}年(?:\d{1,2}月(?:\d{1,2}日)?)?`)

// han matches a run of Chinese inside other text, with the interpunct of names and the punctuation that belongs to the run.
var han = regexp.MustCompile(`\p{Han}(?:[\p{Han}·，。、：；？！（）《》]*\p{Han})?`)

// markHan marks Chinese in an English page, so that screen readers switch voice and the right glyphs are chosen.
func (l language) markHan(escaped string) string {
	if l.lang == ZH {
		return escaped
	}
	return han.ReplaceAllString(escaped, `<span lang="zh-Hans-CN">$0</span>`)
}

// zhAttr is the lang attribute for an element that holds only Chinese.
func (l language) zhAttr() template.HTMLAttr {
	if l.lang == ZH {
		return ""
	}
	return ` lang="zh-Hans-CN"`
}

// officeEnd matches the end of the first part of an office's name: 沙箱省公安厅|交通管理局.
var officeEnd = regexp.MustCompile(`^(.{2,}?(?:厅|部|委员会|法院|政府|局))(.{4,})$`)

// office returns the name of an organisation; a long Chinese one breaks only between its two parts.
func (l language) office(t Text) template.HTML {
	s, in := t.In(l.lang)
	if in != ZH {
		return l.say(t)
	}
	parts := []string{s}
	if m := officeEnd.FindStringSubmatch(s); m != nil {
		parts = m[1:]
	}
	for i := range parts {
		parts[i] = html.EscapeString(parts[i])
	}
	if l.lang == ZH {
		return template.HTML(phrases(parts))
	}
	return template.HTML(`<span lang="zh-Hans-CN">` + phrases(parts) + `</span>`)
}

// clauses returns a short text whose Chinese breaks only after a comma.
func (l language) clauses(t Text) template.HTML {
	s, in := t.In(l.lang)
	if l.lang != ZH || in != ZH {
		return l.say(t)
	}
	return template.HTML(phrases(strings.SplitAfter(html.EscapeString(s), "，")))
}

// person returns a person's name in Chinese and, where there is one, its Latin spelling.
func (l language) person(t Text) template.HTML {
	s := `<b` + string(l.zhAttr()) + `>` + html.EscapeString(t.ZH) + `</b>`
	if t.EN != "" {
		s += ` <span lang="en">` + html.EscapeString(t.EN) + `</span>`
	}
	return template.HTML(s)
}

// date returns the day of t in Beijing, kept on one line.
func (l language) date(t time.Time) template.HTML {
	s, _ := Date(t).In(l.lang)
	return template.HTML(`<span class="nb">` + s + `</span>`)
}
