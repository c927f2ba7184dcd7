// Package conformance holds tests in which programs of others drive the built `hufu dev` on SQLite and on PostgreSQL: OpenID Connect and wallet
// libraries, a TUF client, a browser. README.md says which version proves what. The tests need the build tag conformance:
//
//	go test -tags conformance ./conformance
//
// They fetch the clients once into the user's cache folder. HUFU_SHOTS names a folder for the browser's screenshots.
package conformance
