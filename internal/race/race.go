// Package race tells a test whether it was built with the race detector, which changes how much code allocates: there sync.Pool drops a
// quarter of what it is given on purpose, and instrumented code is inlined less. A test that counts allocations runs its code as always
// and judges the count only where [Enabled] is false. The package is imported by tests and by packages made for tests only.
package race
