//! Which address of this machine the other ranks reach.

use std::io::{Error, ErrorKind, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

/// Between two questions for a name that is not known yet: in a cluster it may come later than the process.
const PAUSE: Duration = Duration::from_millis(200);

/// The local address of the way to `address`; nothing is sent. That of the machine's own name is often 127.0.0.1, which leads nowhere.
pub fn route(address: &str, port: u16, limit: Duration) -> Result<IpAddr> {
    let begun = Instant::now();
    loop {
        match known(address, port) {
            Err(error) if begun.elapsed() >= limit => return Err(error),
            Err(_) => std::thread::sleep(PAUSE.min(limit)),
            Ok(local) => return Ok(local),
        }
    }
}

fn known(address: &str, port: u16) -> Result<IpAddr> {
    let mut last = Error::new(ErrorKind::NotFound, "it has no address");
    for remote in (address, port).to_socket_addrs()? {
        let any = if remote.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        let local = UdpSocket::bind((any, 0)).and_then(|socket| {
            socket.connect(remote)?;
            socket.local_addr()
        });
        match local {
            Ok(local) => return Ok(local.ip()),
            Err(error) => last = error,
        }
    }
    Err(last)
}
