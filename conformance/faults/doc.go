// Package faults holds tests of what only shows under contention and faults: single-use things raced over two processes, and kill -9 while
// licences are issued. Each runs on SQLite and on PostgreSQL, against the built binary. They need the build tag conformance:
//
//	go test -tags conformance ./conformance/faults
//
// HUFU_KILL_ROUNDS says how often the process is killed on each engine; 20 when it is not set.
package faults
