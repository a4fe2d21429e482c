// Package store keeps what a project has computed: objects named by their
// content, the results of stages, the runs that used them, the ledger of
// trials and the lockbox.
//
// A project folder (.mlfactory) holds
//
//	objects/ab/cdef…  one file per object, named by the SHA-256 of its bytes
//	factory.db        SQLite: which stage made which objects, runs, trials
//	locks/            one file per stage being computed
//	tmp/              objects being written
//
// # Promises
//
// An object is complete or absent: it is written beside its place, synced and
// renamed, so no kill, crash or full disk leaves half of one. A stage result is
// recorded in one transaction after its objects are in place. A lock is
// released by the death of its holder. Several processes may work in one folder
// at the same time. So a run that was killed at any instant is finished by
// starting it again.
//
// A folder that is opened by [OpenScratch] is the exception: it survives the
// death of the process and not that of the machine.
//
// Clock times appear in log columns only (when a run started, how long a stage
// took); nothing that is hashed, compared or exported to a run folder contains
// them.
//
// # Refusals
//
// A folder that cannot be written, a database that is damaged or that a newer
// program wrote, an object whose length or frame is wrong, a trial recorded
// twice with different content, and a second opening of a lockbox are errors
// that say what to do. The store never repairs by guessing: [Store.Verify]
// lists what is damaged and can forget it, so that the next run computes it
// again.
//
// The folder must be on a file system with working advisory locks: any local
// one, or a network one that supports them.
package store
