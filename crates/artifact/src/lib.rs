//! Artifacts from elsewhere: fetching, verifying and keeping them.
//!
//! Empty while all artifacts are local files: those are checked, compiled and cached behind the
//! sandbox port.
