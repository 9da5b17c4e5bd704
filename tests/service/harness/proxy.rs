//! A network path that can be broken: a TCP proxy in front of one Redis node.

use cachefront::types::Address;
use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::{Builder, Runtime},
    sync::watch,
    time::{Instant, sleep_until},
};

/// Behaviour of the path. A change takes effect at once, also for open connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Accepts connections and forwards nothing. Delayed data is forwarded after the next change.
    BlackHole,
    /// Closes each connection after this number of bytes of replies.
    CutAfter(usize),
    /// Accepts no connection and closes the open ones.
    Refuse,
    /// Delays replies by this time.
    Delay(Duration),
    /// Forwards replies byte by byte, with this pause between two bytes.
    Drip(Duration),
    /// Replaces some bytes in replies by others, of which there are as many.
    Replace(&'static [u8], &'static [u8]),
}

/// A TCP proxy, which ends on drop.
pub struct Proxy {
    /// Address of the proxy.
    pub address: Address,
    state: watch::Sender<State>,
    runtime: Option<Runtime>,
    /// Keeps the port while nobody listens on it.
    _port: TcpSocket,
}

/// The state that all connections follow.
#[derive(Clone, Copy)]
struct State {
    mode: Mode,
    /// Connections of an earlier generation are closed.
    generation: u64,
}

impl Proxy {
    /// Starts a proxy in front of a node.
    pub fn in_front_of(target: &Address) -> Self {
        let port = socket(0).expect("a free port");
        let address = port.local_addr().expect("an address");
        let (state, watched) = watch::channel(State { mode: Mode::Pass, generation: 0 });
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = {
            let _inside = runtime.enter();
            listen(address).expect("a reserved port")
        };
        runtime.spawn(serve(listener, address, (target.host.clone(), target.port), watched));
        let address = Address { host: address.ip().to_string(), port: address.port() };
        Self { address, state, runtime: Some(runtime), _port: port }
    }

    /// Changes the behaviour of the path.
    pub fn set(&self, mode: Mode) {
        self.state.send_modify(|state| {
            state.mode = mode;
            state.generation += u64::from(mode == Mode::Refuse);
        });
    }

    /// Closes all connections that are open.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Opens a socket with this port, which other sockets of this process may share.
fn socket(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket)
}

/// Listens on the reserved port.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    socket(address.port())?.listen(1024)
}

type StateReceiver = watch::Receiver<State>;

/// Accepts connections, except while they are refused.
async fn serve(listener: TcpListener, address: SocketAddr, target: (String, u16), mut state: StateReceiver) {
    let mut listener = Some(listener);
    loop {
        if state.borrow_and_update().mode == Mode::Refuse {
            listener = None;
        } else if listener.is_none() {
            listener = Some(listen(address).expect("the port is reserved"));
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            accepted = accepted => if let Ok((caller, _)) = accepted {
                tokio::spawn(forward_connection(caller, target.clone(), state.clone()));
            },
        }
    }
}

/// Forwards one connection until it ends or is cut.
async fn forward_connection(caller: TcpStream, target: (String, u16), mut state: StateReceiver) {
    let generation = state.borrow().generation;
    let cut = state.clone();
    let both = async {
        // In a black hole not even a connection to the node is opened.
        until_open(&mut state).await;
        let Ok(node) = TcpStream::connect(target).await else { return };
        let _quick = (caller.set_nodelay(true), node.set_nodelay(true));
        let ((caller_reads, caller_writes), (node_reads, node_writes)) = (caller.into_split(), node.into_split());
        tokio::select! {
            () = forward_requests(caller_reads, node_writes, state.clone()) => {}
            () = forward_replies(node_reads, caller_writes, state.clone()) => {}
        }
    };
    tokio::select! {
        () = both => {}
        () = until_cut(cut, generation) => {}
    }
}

/// Waits until the connections of a generation are cut.
async fn until_cut(mut state: StateReceiver, generation: u64) {
    drop(state.wait_for(|state| state.generation > generation).await);
}

/// Waits until the path is no black hole.
async fn until_open(state: &mut StateReceiver) {
    drop(state.wait_for(|state| state.mode != Mode::BlackHole).await);
}

/// Forwards data from the caller to the node.
async fn forward_requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: StateReceiver) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        until_open(&mut state).await;
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

/// Received data, each piece with the time at which it is forwarded.
type DelayedReplies = VecDeque<(Instant, Vec<u8>)>;

/// Forwards data from the node to the caller, as the mode requires.
async fn forward_replies(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: StateReceiver) {
    /// Enough for the data that a lagging replica lacks.
    const DELAYED_MAX: usize = 100_000;
    let mut bytes = vec![0; 64 * 1024];
    let mut delayed = DelayedReplies::new();
    let mut ended = false;
    let mut passed = 0;
    while !(ended && delayed.is_empty()) {
        let mode = state.borrow_and_update().mode;
        if !matches!(mode, Mode::CutAfter(_)) {
            passed = 0;
        }
        let due = delayed.front().map(|(due, _)| *due).filter(|_| mode != Mode::BlackHole);
        tokio::select! {
                   changed = state.changed() => {
                       if changed.is_err() {
                           return;
                       }
                       if !matches!(state.borrow().mode, Mode::Delay(_)) {
                           for (due, _) in &mut delayed {
        *due = Instant::now();
        }
                       }
                   }
                   read = from.read(&mut bytes), if !ended && delayed.len() < DELAYED_MAX => match read {
                       Ok(length @ 1..) => {
                           let delay = if let Mode::Delay(delay) = mode { delay } else { Duration::ZERO };
                           delayed.push_back((Instant::now() + delay, bytes[..length].to_vec()));
                       }
                       _ => ended = true,
                   },
                   () = async { sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {
                       let Some((_, mut piece)) = delayed.pop_front() else { continue };
                       if let Mode::Drip(pause) = mode && piece.len() > 1 {
                           delayed.push_front((Instant::now() + pause, piece.split_off(1)));
                       }
                       if let Mode::CutAfter(bytes) = mode {
                           piece.truncate(bytes.saturating_sub(passed));
                           passed += piece.len();
                       }
                       if let Mode::Replace(bytes, others) = mode {
                           replace(&mut piece, bytes, others);
                       }
                       let is_cut = matches!(mode, Mode::CutAfter(bytes) if passed >= bytes);
                       if to.write_all(&piece).await.is_err() || is_cut {
                           return;
                       }
                   }
               }
    }
}

/// Replaces bytes wherever they occur. Bytes that two pieces share are not found.
fn replace(piece: &mut [u8], bytes: &[u8], others: &[u8]) {
    assert_eq!(bytes.len(), others.len(), "the reply keeps its length");
    for start in 0..(piece.len() + 1).saturating_sub(bytes.len()) {
        if piece[start..].starts_with(bytes) {
            piece[start..start + bytes.len()].copy_from_slice(others);
        }
    }
}
