//! A DNS server whose answers change from one question to the next, as an attacker's do.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Type of a record with an IPv4 address.
const A: u16 = 1;
/// Bytes before the question.
const HEADER: usize = 12;

/// A server on UDP; it ends when dropped.
#[derive(Debug)]
pub struct Dns {
    names: Arc<Mutex<HashMap<String, Zone>>>,
    answering: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Zone {
    /// Addresses, by question; the last are given to all that follow.
    answers: Vec<Vec<Ipv4Addr>>,
    questions: usize,
}

impl Dns {
    /// Starts a server; it knows no name yet.
    ///
    /// # Panics
    /// If the address is not free.
    pub async fn start(address: SocketAddr) -> Self {
        let socket = UdpSocket::bind(address).await.expect("a free address");
        let names = Arc::default();
        let answering = tokio::spawn(answer_all(socket, Arc::clone(&names)));
        Self { names, answering }
    }

    /// Answers each question about a name with the next of these addresses, to be forgotten at once,
    /// and with the last ones from then on.
    pub fn answer(&self, name: &str, answers: &[&[Ipv4Addr]]) {
        let zone = Zone {
            answers: answers.iter().map(|answer| answer.to_vec()).collect(),
            questions: 0,
        };
        lock(&self.names).insert(name.to_owned(), zone);
    }

    /// How often addresses of a name were asked for since it was last given answers.
    pub fn questions(&self, name: &str) -> usize {
        lock(&self.names).get(name).map_or(0, |zone| zone.questions)
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

async fn answer_all(socket: UdpSocket, names: Arc<Mutex<HashMap<String, Zone>>>) {
    let mut packet = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut packet).await {
        if let Some(answer) = answer(&packet[..length], &names) {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

fn answer(packet: &[u8], names: &Mutex<HashMap<String, Zone>>) -> Option<Vec<u8>> {
    let (name, rest) = read_name(packet.get(HEADER..)?)?;
    let kind = u16::from_be_bytes([*rest.first()?, *rest.get(1)?]);
    let question = packet.get(HEADER..packet.len() - rest.len() + 4)?;
    let mut names = lock(names);
    let zone = names.get_mut(&name);
    let is_known = zone.is_some();
    let addresses = match zone {
        Some(zone) if kind == A => {
            let at = zone.questions.min(zone.answers.len().saturating_sub(1));
            zone.questions += 1;
            zone.answers.get(at).cloned().unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let mut answer = packet[..2].to_vec();
    // An authoritative answer; "no such name" is 3.
    answer.extend([0x84, if is_known { 0x80 } else { 0x83 }, 0, 1]);
    answer.extend((addresses.len() as u16).to_be_bytes());
    answer.extend([0; 4]);
    answer.extend(question);
    for address in addresses {
        // The name of the question, A, IN, to be kept for 0 s, 4 bytes.
        answer.extend([0xc0, HEADER as u8, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}

/// The name that a question begins with, in lower case, and what follows it.
fn read_name(mut bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut labels = Vec::new();
    loop {
        let (&length, rest) = bytes.split_first()?;
        if length == 0 {
            return Some((labels.join("."), rest));
        }
        let (label, rest) = rest.split_at_checked(length.into())?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        bytes = rest;
    }
}

fn lock(names: &Mutex<HashMap<String, Zone>>) -> MutexGuard<'_, HashMap<String, Zone>> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}
