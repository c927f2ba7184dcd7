package federation

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/web"
)

// Routes mounts the steps on r, which must not clean paths (SkipClean).
func (f *Federation) Routes(r *mux.Router) {
	r.HandleFunc("/login/{flow}/", f.chooser).Methods(http.MethodGet)
	r.HandleFunc("/login/{flow}/cancel", f.cancel).Methods(http.MethodGet)
	r.HandleFunc("/login/{flow}/forget", f.forget).Methods(http.MethodGet)
	r.HandleFunc("/login/{flow}/{province}", f.start).Methods(http.MethodGet)
	r.HandleFunc("/callback/{province}", f.callback).Methods(http.MethodGet)
	r.HandleFunc("/callback/{province}/jwks", f.keys).Methods(http.MethodGet)
}

// States tells how each member is doing, as far as this node has seen.
func (f *Federation) States() map[province.Code]upstream.State {
	out := make(map[province.Code]upstream.State, len(f.members))
	for code, m := range f.members {
		out[code] = m.Connector.State()
	}
	return out
}

// cancel goes back to the service. It ends nothing but this browser's own flow, so a link may do it.
func (f *Federation) cancel(w http.ResponseWriter, r *http.Request) {
	f.cfg.Flows.Cancelled(w, r, mux.Vars(r)["flow"])
}

// keys publishes our public keys towards one province, and only those: it is what the province checks our client assertions with.
func (f *Federation) keys(w http.ResponseWriter, r *http.Request) {
	m, ok := f.members[province.Code(mux.Vars(r)["province"])]
	if !ok || m.Keys == nil {
		f.problem(w, r, web.ProblemNotFound, "", "")
		return
	}
	set, err := m.Keys(r.Context())
	var body []byte
	if err == nil {
		body, err = jose.MarshalJWKS(set)
	}
	if err != nil {
		f.internal(w, r, "keys towards province", err)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(body)
}
