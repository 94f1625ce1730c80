//! Names to addresses, asked once per connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use alula_capability::BoxFuture;
use tokio::sync::Semaphore;

/// Looks names up.
pub trait Lookup: Send + Sync {
    /// The addresses of a name, with the port put in, in the order in which to try them.
    fn lookup(&self, name: &str, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver. A lookup holds a thread until it ends, so their number is limited.
#[derive(Debug, Clone)]
pub struct SystemLookup(Arc<Semaphore>);

/// Slow names must not take the threads that files need.
const AT_ONCE: usize = 64;

impl Default for SystemLookup {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Lookup for SystemLookup {
    fn lookup(&self, name: &str, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        let name = name.to_owned();
        let room = Arc::clone(&self.0);
        Box::pin(async move {
            let _room = room.acquire().await.map_err(io::Error::other)?;
            Ok(tokio::net::lookup_host((name.as_str(), port)).await?.collect())
        })
    }
}
