//! Sockets: accepting, HTTP, WebSocket, heartbeats, draining, and the operators' listener.
//!
//! It calls translators and the node's façade and decides nothing about chat. One task per connection; no timer, no
//! buffer and no second task for one that is idle.
//!
//! Read in this order: [`doors`] (what connections share), [`admission`] and [`bucket`] (who may come in, how fast),
//! [`accept`], [`connection`] (one connection from start to end), [`http`] with [`cors`] and [`forwarded`], [`rest`] behind its [`gate`], [`poll`], [`sse`], [`upgrade`], [`greeting`] (from
//! [`accept`], [`connection`] (one connection from start to end), [`http`] and [`upgrade`], [`uploads`] and [`media`] (files), [`greeting`] (from
//! handshake to session), [`websocket`] (the loop) on [`wire`] and [`frame`], [`ending`], [`heartbeat`] (the wheel),
//! [`drain`], [`ops`], [`export`], [`operator`].

pub mod doors;
pub mod admission;
pub mod bucket;
pub mod accept;
pub mod connection;
pub mod http;
pub mod patient;
pub mod cors;
pub mod forwarded;
pub mod gate;
pub mod rest;
pub mod poll;
pub mod sse;
pub mod uploads;
pub mod media;
pub mod upgrade;
pub mod greeting;
pub mod websocket;
pub mod wire;
pub mod frame;
pub mod ending;
pub mod heartbeat;
pub mod drain;
pub mod ops;
pub mod export;
pub mod operator;
#[cfg(test)]
mod tests;
