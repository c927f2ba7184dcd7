package sample

import (
	"log/slog"
	"net/http"
	"time"
)

// ProvinceConfig makes one sample province.
type ProvinceConfig struct {
	Info    ProvinceInfo
	People  []Person
	BaseURL string // issuer: a bare origin, e.g. http://localhost:8081

	// The national server as this province's only client.
	ClientID    string
	RedirectURI string
	JWKSURI     string // where our keys towards this province are published

	HTTP    *http.Client  // fetches JWKSURI; default a plain client with a time limit
	SlowFor time.Duration // how long the fault "slow" waits; default 7 s
	Now     func() time.Time
	Log     *slog.Logger
}

// DepartmentConfig makes one sample department.
type DepartmentConfig struct {
	Info         DepartmentInfo
	BaseURL      string // a bare origin, e.g. http://localhost:8090; its redirect URI is BaseURL + "/callback"
	Issuer       string // the national server
	ClientSecret string // client_secret_basic
	Counter      string // path of the department's counter, which is another program; "" hides the link

	HTTP *http.Client // reaches the national server; default a plain client with a time limit
	Now  func() time.Time
	Log  *slog.Logger
}

// RedirectURI is the address to register for a department at base URL.
func RedirectURI(baseURL string) string { return baseURL + "/callback" }

// PostLogoutRedirectURI is where a department wants people back after logging out.
func PostLogoutRedirectURI(baseURL string) string { return baseURL + "/" }
