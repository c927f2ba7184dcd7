// Package httpx is what every listener and every outgoing request of ours shares: limits, headers, recovery and trace ids around the
// router (its own middleware doesn't run on 404, 405 and redirects), strict forms, sealed cookies, and the one safe client.
package httpx

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
)

// Limits of a request.
const (
	// MaxBody is how many bytes of a body are read unless Options say otherwise.
	MaxBody = 64 << 10
	// MaxURL is how long a request's path and query may be: a client's state has any length within it.
	MaxURL = 32 << 10
)

// Options say how a listener differs from the default.
type Options struct {
	// Log receives one line a request and every panic; nil drops them.
	Log *slog.Logger
	// MaxBody returns the body limit in bytes for a request; nil or 0 mean the package's MaxBody.
	MaxBody func(r *http.Request) int64
	// HSTS makes browsers insist on TLS. It is off on plain loopback origins.
	HSTS bool
	// ServerError writes the page or document of an unexpected failure; nil writes a plain line with the trace id.
	ServerError func(w http.ResponseWriter, r *http.Request)
}

// Wrap puts around h what must hold for every answer, also those that a router gives by itself.
func Wrap(h http.Handler, o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		trace := newTrace()
		r = r.WithContext(audit.WithTrace(r.Context(), trace))
		rec := &recorder{ResponseWriter: w}
		secureHeaders(rec.Header(), o.HSTS)
		rec.Header().Set("X-Trace-Id", trace)
		defer func() {
			if p := recover(); p != nil {
				o.Log.ErrorContext(r.Context(), "panic", "trace", trace, "path", loggable(r.URL.Path), "panic", p, "stack", string(debug.Stack()))
				if !rec.wrote {
					serverError(rec, r, o)
				}
			}
			// The path only: queries and bodies carry codes and tokens.
			o.Log.InfoContext(r.Context(), "request", "trace", trace, "method", r.Method, "path", loggable(r.URL.Path),
				"status", rec.status, "ms", time.Since(start).Milliseconds())
		}()
		if len(r.URL.RequestURI()) > MaxURL {
			http.Error(rec, "The address is too long.", http.StatusRequestURITooLong)
			return
		}
		limit := int64(MaxBody)
		if o.MaxBody != nil {
			if n := o.MaxBody(r); n > 0 {
				limit = n
			}
		}
		r.Body = http.MaxBytesReader(rec, r.Body, limit)
		h.ServeHTTP(rec, r)
	})
}

// loggable hides long path segments: an offer's id is as secret as the offer, a licence identifier names a person.
func loggable(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if len(p) > 20 && p != "openid-configuration" && p != "oauth-authorization-server" && p != "openid-credential-issuer" {
			parts[i] = "..."
		}
	}
	return strings.Join(parts, "/")
}

func serverError(w http.ResponseWriter, r *http.Request, o Options) {
	if o.ServerError != nil {
		o.ServerError(w, r)
		return
	}
	http.Error(w, "Something failed here. Quote this number: "+audit.Trace(r.Context()), http.StatusInternalServerError)
}

// secureHeaders are the same on every answer; a handler may only widen form-action (AllowFormAction), set caching and CORS.
func secureHeaders(h http.Header, hsts bool) {
	h.Set("Content-Security-Policy", contentPolicy("'self'"))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// With no-referrer Chromium posts our own forms with "Origin: null".
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	if hsts {
		h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	}
}

// AllowImage lets this page show an image of another origin, beside ours; "" changes nothing. Call it after AllowFormAction.
func AllowImage(w http.ResponseWriter, address string) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || strings.ContainsAny(u.Host, " ;,'\"") {
		return
	}
	h := w.Header()
	// A second img-src would not count.
	h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), images, images+" "+u.Scheme+"://"+u.Host, 1))
}

// images are ours, and pictures within a page: the portrait of a licence is nowhere else.
const images = "img-src 'self' data:"

func contentPolicy(formAction string) string {
	return "default-src 'self'; " + images + "; script-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action " + formAction
}

// AllowFormAction lets the forms of this page end at the given origins too. Chromium applies form-action to the whole redirect chain
// after a POST, so a page whose form leads back to a client or on to a province must name that origin, and only that one.
func AllowFormAction(w http.ResponseWriter, origins ...string) {
	sources := "'self'"
	for _, o := range origins {
		// A registered redirect is trusted to be a URL, not to be free of policy syntax.
		if o == "" || strings.ContainsAny(o, " ;,'\"\t\r\n") {
			continue
		}
		sources += " " + o
	}
	w.Header().Set("Content-Security-Policy", contentPolicy(sources))
}

// newTrace returns the number that a person can read out on the phone: 16 hexadecimal digits.
func newTrace() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// recorder remembers the status for the log.
type recorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if !r.wrote {
		r.status, r.wrote = http.StatusOK, true
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// NewServer returns a server with the timeouts that slow and idle peers need.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			// AES-GCM with forward secrecy only, as FAPI 2.0 section 5.2.1 (BCP 195) wants; CBC and ChaCha20 are in the default set. TLS 1.3 has no choice.
			CipherSuites: []uint16{
				tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
				tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			},
		},
	}
}
