//! What scenarios about people do again and again, each as one call of a client, and what they look at afterwards.

use serde_json::{Value, json};

use crate::client::{Client, Refusal};
use crate::server::Person;

impl Client {
    /// Posts a message whose text is its key; its seq.
    pub async fn post(&mut self, conv: &str, key: &str) -> u64 {
        let ok = self.ask("msg.send", json!({"conv": conv, "client_key": key, "body": {"text": key}})).await;
        ok["seq"].as_u64().unwrap_or_else(|| panic!("a message has a seq: {ok}"))
    }

    /// Creates a group with these members; its id.
    pub async fn found(&mut self, name: &str, members: &[&Person], open: bool) -> String {
        let members: Vec<u64> = members.iter().map(|person| person.id).collect();
        let ok = self.ask("group.create", json!({"client_key": name, "name": name, "members": members, "open": open})).await;
        ok["conv"].as_str().unwrap_or_else(|| panic!("a group has an id: {ok}")).to_owned()
    }

    /// Takes a step towards another user: `request`, `accept`, `decline`, `remove`, `block`, `unblock`.
    pub async fn relate(&mut self, step: &str, to: &Person) -> Value {
        self.ask(&format!("relation.{step}"), json!({"user": to.id})).await
    }

    /// A step that is refused.
    pub async fn refused_step(&mut self, step: &str, to: &Person) -> Refusal {
        self.refused(&format!("relation.{step}"), json!({"user": to.id})).await
    }

    /// A stored change of a conversation, answered by its entry.
    pub async fn change(&mut self, op: &str, conv: &str, key: &str, more: Value) -> Value {
        self.ask(op, keyed(conv, key, more)).await
    }

    /// A change that is refused.
    pub async fn refused_change(&mut self, op: &str, conv: &str, more: Value) -> Refusal {
        self.refused(op, keyed(conv, "refused", more)).await
    }

    /// The entry at a seq as this user is shown it now.
    pub async fn shown(&mut self, conv: &str, seq: u64) -> Value {
        let page = self.ask("msg.history", json!({"conv": conv, "after": seq - 1, "limit": 1})).await;
        let entry = page["entries"][0].clone();
        assert_eq!(entry["seq"], seq, "{page}");
        entry
    }

    /// The next entry of this kind.
    pub async fn entry(&mut self, kind: &str) -> Value {
        self.push_where("entry", |d| d["kind"] == kind).await
    }

    /// The next entry of this kind of the own log.
    pub async fn own(&mut self, kind: &str) -> Value {
        self.push_where("own", |d| d["kind"] == kind).await
    }

    /// The numbers of the users that a search finds.
    pub async fn search(&mut self, prefix: &str) -> Vec<u64> {
        let found = self.ask("user.search", json!({"prefix": prefix})).await;
        numbers(&found["users"], "id")
    }

    /// The first page of the notices.
    pub async fn notices(&mut self) -> Value {
        self.ask("notice.list", json!({})).await
    }
}

fn keyed(conv: &str, key: &str, more: Value) -> Value {
    let mut d = json!({"conv": conv, "client_key": key});
    for (name, value) in more.as_object().expect("fields").clone() {
        d[name] = value;
    }
    d
}

/// One number of each item of a list.
pub fn numbers(list: &Value, name: &str) -> Vec<u64> {
    let items = list.as_array().unwrap_or_else(|| panic!("a list, not {list}"));
    items.iter().map(|item| item[name].as_u64().unwrap_or_else(|| panic!("{name}: {item}"))).collect()
}
