//! What every store must do, one sentence each. An implementation's test calls [`run_all`], never a part of it.
//!
//! A mere claim need not fence: where a log can have one owner only, it writes nothing (design D13). What a claim
//! *and an append* have settled binds everywhere. Faults are no part of it: each implementation has its own.

pub mod log;
pub mod members;
pub mod messages;
pub mod accounts;
pub mod people;
pub mod archive;
pub mod samples;

use std::pin::Pin;
use std::sync::Arc;

use crate::store::Store;

/// A sentence at work.
pub type Proof<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A sentence and what proves it; it panics if the sentence is not true of the store.
pub type Sentence = (&'static str, for<'a> fn(&'a dyn Store) -> Proof<'a>);

/// Every sentence.
pub fn sentences() -> Vec<Sentence> {
    [log::SENTENCES, members::SENTENCES, messages::SENTENCES, accounts::SENTENCES, people::SENTENCES].concat()
}

/// Proves each sentence on a fresh store; `begin` is told which one comes next.
pub async fn run_all(make: impl AsyncFn() -> Arc<dyn Store>, mut begin: impl FnMut(&'static str)) {
    for (sentence, proof) in sentences() {
        begin(sentence);
        proof(&*make().await).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::memory::MemoryStore;

    #[tokio::test]
    async fn the_memory_store_keeps_the_contract() {
        let mut count = 0;
        run_all(async || Arc::new(MemoryStore::new()) as Arc<dyn Store>, |_| count += 1).await;
        assert_eq!(count, sentences().len());
    }

    #[test]
    fn no_sentence_is_written_twice() {
        let mut names: Vec<_> = sentences().into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), sentences().len());
    }
}
