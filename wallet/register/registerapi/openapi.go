package registerapi

import (
	_ "embed"
	"net/http"
)

// OpenAPI is the description of the department API (OpenAPI 3.1), also of the parts that other modules serve.
//
//go:embed openapi.json
var OpenAPI []byte

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", "*") // for the editors and generators that read such files
	_, _ = w.Write(OpenAPI)
}
