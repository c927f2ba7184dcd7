package httpx

import "net/http"

// Answer turns a method of an API into a handler: tell who calls, call, and write the answer as JSON, or the error as refuse shapes it. C is who calls.
func Answer[C any](who func(r *http.Request) (C, error), refuse func(w http.ResponseWriter, r *http.Request, err error),
	fn func(r *http.Request, caller C) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller, err := who(r)
		var answer any
		if err == nil {
			answer, err = fn(r, caller)
		}
		if err != nil {
			refuse(w, r, err)
			return
		}
		WriteJSON(w, http.StatusOK, answer)
	}
}
