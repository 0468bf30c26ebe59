//! Every metric: its name, help, labels and buckets; the handles that the hot paths hold; and the exporter's text.
//!
//! Nothing else names a metric. Labels come from closed lists and never say who or where (OM2). There is no global
//! recorder: a node owns its [`Metrics`], so that several can run in one process. `docs/metrics.md` is generated from
//! [`FAMILIES`].

use std::fmt::Write;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use actors::event::Class;
use actors::telemetry::{ActorKind, Count, Measure, ResumeOutcome, Telemetry};
use metrics::{Counter, Gauge, Histogram, Key, Label, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tikv_jemalloc_ctl::{epoch, stats};

/// What a family is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// It only rises.
    Counter,
    /// It rises and falls.
    Gauge,
    /// Distributed over these buckets.
    Histogram(&'static [f64]),
}

/// One metric with all its labels.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub form: Form,
    /// What it says.
    pub help: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
}

const SECONDS: Form = Form::Histogram(&[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
const FANOUT: Form = Form::Histogram(&[1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0]);
const ROWS: Form = Form::Histogram(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]);

const fn family(name: &'static str, form: Form, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, form, help, labels }
}

/// Every metric of the server.
pub const FAMILIES: &[Family] = &[
    family("parlance_build_info", Form::Gauge, &["version"], "Always 1; its label says which build runs."),
    family("parlance_edge_connections", Form::Gauge, &["encoding"], "Authenticated sockets and event streams, by encoding."),
    family("parlance_edge_unauthenticated", Form::Gauge, &[], "Open connections that have not authenticated."),
    family("parlance_edge_accepted_total", Form::Counter, &[], "Connections accepted."),
    family("parlance_edge_accept_errors_total", Form::Counter, &[], "Failed accepts, such as for want of descriptors."),
    family("parlance_edge_rejected_total", Form::Counter, &["reason"], "Connections and requests refused by admission."),
    family(
        "parlance_edge_closed_total",
        Form::Counter,
        &["code"],
        "Sockets that ended, by close code; 1000 ended by the client, 1006 without a close frame.",
    ),
    family("parlance_edge_auth_failures_total", Form::Counter, &["reason"], "Credentials that proved nothing."),
    family("parlance_edge_auth_seconds", SECONDS, &[], "Time from a socket's opening to its session."),
    family("parlance_edge_heartbeat_timeouts_total", Form::Counter, &[], "Sockets given up because no frame came."),
    family(
        "parlance_edge_read_pauses_total",
        Form::Counter,
        &[],
        "Times a socket was not read because too many of its requests awaited answers.",
    ),
    family("parlance_edge_requests_total", Form::Counter, &["status"], "HTTP requests answered, by status."),
    family("parlance_edge_frames_read_total", Form::Counter, &[], "Frames that clients sent."),
    family("parlance_edge_frames_written_total", Form::Counter, &[], "Frames written to clients."),
    family("parlance_edge_writes_total", Form::Counter, &[], "Write calls to the kernel for frames."),
    family("parlance_edge_written_bytes_total", Form::Counter, &[], "Bytes written to sockets."),
    family("parlance_command_seconds", SECONDS, &["op"], "Time from a request's arrival to its reply, by op."),
    family("parlance_command_errors_total", Form::Counter, &["code"], "Requests refused, by the error's name."),
    family(
        "parlance_delivery_renderings_total",
        Form::Counter,
        &["encoding"],
        "Times an event was encoded; once for each event and encoding.",
    ),
    family("parlance_delivery_deliveries_total", Form::Counter, &["class"], "Announcements queued to a session."),
    family("parlance_delivery_shed_total", Form::Counter, &["class"], "Announcements given up because a queue was full."),
    family("parlance_delivery_gap_marks_total", Form::Counter, &[], "Messages that became part of a gap mark."),
    family("parlance_delivery_fanout_recipients", FANOUT, &[], "Sessions that one fan-out reached."),
    family("parlance_delivery_fanout_seconds", SECONDS, &[], "Time of one fan-out into the queues."),
    family("parlance_log_post_seconds", SECONDS, &[], "Time from a post's arrival at its conversation to its ack."),
    family("parlance_log_append_seconds", SECONDS, &[], "Time of one append."),
    family("parlance_log_batch_rows", ROWS, &[], "Entries of one batch."),
    family("parlance_log_posts_total", Form::Counter, &[], "Posts acknowledged."),
    family("parlance_log_duplicates_suppressed_total", Form::Counter, &[], "Posts answered with the first result of their key."),
    family("parlance_log_key_conflicts_total", Form::Counter, &[], "Posts refused because their key was used for another content."),
    family("parlance_log_append_unknown_total", Form::Counter, &[], "Batches whose outcome was not learned at the first try."),
    family("parlance_log_append_conflict_same_epoch_total", Form::Counter, &[], "Batches refused under our own epoch; must stay 0."),
    family("parlance_log_fenced_total", Form::Counter, &[], "Batches refused because another owner wrote."),
    family("parlance_log_claims_total", Form::Counter, &["outcome"], "Claims of a log."),
    family("parlance_log_frozen_total", Form::Counter, &[], "Logs frozen because stored data contradicts itself; must stay 0."),
    family("parlance_log_keys_loaded_total", Form::Counter, &[], "Entries read to look for a client key."),
    family("parlance_receipt_watermark_writes_total", Form::Counter, &[], "Durable writes of marks."),
    family("parlance_receipt_watermarks_raised_total", Form::Counter, &[], "Marks raised in those writes."),
    family("parlance_presence_emitted_total", Form::Counter, &[], "Presence changes told to a session."),
    family("parlance_presence_shed_total", Form::Counter, &[], "Presence or typing signals given up by a rule."),
    family("parlance_presence_typing_total", Form::Counter, &[], "Typing signals announced."),
    family("parlance_actor_starts_total", Form::Counter, &["kind"], "Actors that came up."),
    family("parlance_actor_sleeps_total", Form::Counter, &["kind"], "Actors that stopped because they had nothing to do."),
    family("parlance_actor_failures_total", Form::Counter, &["kind"], "Actors that died of a bug."),
    family("parlance_actor_activation_seconds", SECONDS, &[], "Time from a conversation's first mail to its head being known."),
    family("parlance_resume_attempts_total", Form::Counter, &["outcome"], "Resumes of one log, by outcome."),
    family(
        "parlance_limit_rate_limited_total",
        Form::Counter,
        &["bucket"],
        "Requests refused because a bucket ran empty or a queue was full.",
    ),
    family("parlance_auth_hashes_waiting", Form::Gauge, &[], "Passwords waiting to be hashed."),
    family("parlance_store_calls_total", Form::Counter, &["call"], "Calls of the store's ports, by kind; one that reads many rows is one."),
    family("parlance_store_commits_total", Form::Counter, &[], "Commits of the embedded store."),
    family("parlance_store_syncs_total", Form::Counter, &[], "Times the embedded store waited for the disk."),
    family("parlance_store_rows_total", Form::Counter, &[], "Rows that the embedded store committed."),
    family("parlance_store_commit_rows", ROWS, &[], "Rows of one commit."),
    family("parlance_store_commit_seconds", SECONDS, &[], "Time of one commit, its sync included."),
    family("parlance_store_inflight", Form::Gauge, &[], "Calls that wait for the store's writer."),
    family("parlance_store_errors_total", Form::Counter, &["kind"], "Failures of the store."),
    family("parlance_media_stored_total", Form::Counter, &["purpose"], "Files that were taken in."),
    family("parlance_media_incoming", Form::Gauge, &[], "Files that are coming in, or are being cleared away."),
    family("parlance_media_received_bytes_total", Form::Counter, &[], "Bytes of files that came, those of refused ones included."),
    family("parlance_media_served_bytes_total", Form::Counter, &[], "Bytes of files that were asked for."),
    family("parlance_media_refused_total", Form::Counter, &["reason"], "Files that were not taken in."),
    family("parlance_media_images_total", Form::Counter, &["outcome"], "Images that were looked into."),
    family("parlance_media_erased_total", Form::Counter, &["cause"], "Files whose bytes were erased."),
    family("parlance_media_leftovers_total", Form::Counter, &[], "Files that a crash left half taken in and that were cleared away."),
    family("parlance_drain_progress_ratio", Form::Gauge, &[], "Share of the connections that have left since the drain began."),
    family("process_cpu_seconds_total", Form::Counter, &[], "CPU time of the process, user and system."),
    family("process_resident_memory_bytes", Form::Gauge, &[], "Resident memory of the process."),
    family("process_anonymous_memory_bytes", Form::Gauge, &[], "Resident memory that no file backs."),
    family("process_open_fds", Form::Gauge, &[], "Open descriptors."),
    family("process_max_fds", Form::Gauge, &[], "Most descriptors that the process may open."),
    family("process_threads", Form::Gauge, &[], "Threads of the process."),
    family("process_allocated_bytes", Form::Gauge, &[], "Bytes that the program holds of the allocator."),
    family("process_allocator_resident_bytes", Form::Gauge, &[], "Resident bytes that the allocator holds of the system."),
    family("process_allocator_retained_bytes", Form::Gauge, &[], "Address space that the allocator keeps without memory behind it."),
    family("process_start_time_seconds", Form::Gauge, &[], "When the process started, in seconds since 1970."),
];

/// Reasons for which admission refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The node has no room.
    NodeFull,
    /// The address has too many connections.
    AddressFull,
    /// The address has too many that have not authenticated.
    UnauthenticatedFull,
    /// The user has too many sessions.
    SessionsFull,
    /// No request head in time.
    HeadDeadline,
    /// The request head is too large.
    HeadBytes,
    /// The page's origin is not allowed.
    Origin,
    /// The node is going away.
    Draining,
}

const REFUSALS: &[(Refusal, &str)] = &[
    (Refusal::NodeFull, "node_full"),
    (Refusal::AddressFull, "address_full"),
    (Refusal::UnauthenticatedFull, "unauthenticated_full"),
    (Refusal::SessionsFull, "sessions_full"),
    (Refusal::HeadDeadline, "head_deadline"),
    (Refusal::HeadBytes, "head_bytes"),
    (Refusal::Origin, "origin"),
    (Refusal::Draining, "draining"),
];

/// Why a credential proved nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthFailure {
    /// Bad form or signature.
    Invalid,
    /// It was good once.
    Expired,
    /// A refresh token.
    Refresh,
    /// A password.
    Password,
    /// The account is disabled.
    Disabled,
}

const AUTH_FAILURES: &[(AuthFailure, &str)] = &[
    (AuthFailure::Invalid, "invalid"),
    (AuthFailure::Expired, "expired"),
    (AuthFailure::Refresh, "refresh"),
    (AuthFailure::Password, "password"),
    (AuthFailure::Disabled, "disabled"),
];

/// What a file is for, as [`MediaMetrics::stored`] counts it.
pub const PURPOSES: [&str; 2] = ["attachment", "picture"];

/// Why a file was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileRefusal {
    /// It is larger than a file may be.
    TooLarge,
    /// The user's files would be larger than they may be together.
    Quota,
    /// A picture is no image that can be read.
    NotAPicture,
    /// A picture has too many pixels.
    TooManyPixels,
    /// Its bytes broke off.
    Broken,
    /// Its bytes came too slowly.
    Slow,
    /// Too many images wait.
    Busy,
    /// There is no room.
    Full,
    /// What keeps files, or the store, could not be reached.
    Unavailable,
}

const FILE_REFUSALS: &[(FileRefusal, &str)] = &[
    (FileRefusal::TooLarge, "too_large"),
    (FileRefusal::Quota, "quota"),
    (FileRefusal::NotAPicture, "not_a_picture"),
    (FileRefusal::TooManyPixels, "too_many_pixels"),
    (FileRefusal::Broken, "broken"),
    (FileRefusal::Slow, "slow"),
    (FileRefusal::Busy, "busy"),
    (FileRefusal::Full, "full"),
    (FileRefusal::Unavailable, "unavailable"),
];

/// What came of looking into an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageOutcome {
    /// It has a thumbnail.
    Thumbnail,
    /// It cannot be decoded.
    Unreadable,
    /// It declares too many pixels.
    TooManyPixels,
    /// It took too long.
    Slow,
    /// Too many waited.
    Shed,
}

const IMAGE_OUTCOMES: &[(ImageOutcome, &str)] = &[
    (ImageOutcome::Thumbnail, "thumbnail"),
    (ImageOutcome::Unreadable, "undecodable"),
    (ImageOutcome::TooManyPixels, "too_many_pixels"),
    (ImageOutcome::Slow, "slow"),
    (ImageOutcome::Shed, "shed"),
];

const CLASSES: [&str; 3] = ["message", "annotation", "ephemeral"];
const KINDS: [&str; 3] = ["user", "conversation", "home"];
const OUTCOMES: [&str; 4] = ["complete", "gap", "reset", "too_long"];
/// The buckets and bounded queues that refuse by name; what is not listed counts as "other".
const BUCKETS: &[&str] = &[
    "frames",
    "bytes",
    "queries",
    "posts_waiting",
    "posts_user",
    "posts_conversation",
    "groups",
    "requests",
    "invites",
    "rates",
    "profiles",
    "searches",
    "notices_user",
    "logins_user",
    "hashes",
    "logins_account",
    "passwords",
    "logins_address",
    "sessions",
    "rest_user",
    "rest_node",
    "uploads",
    "uploads_user",
    "uploads_node",
    "other",
];

/// The encodings of a socket, and an event stream's, in the order of their rendering keys.
pub const ENCODINGS: [&str; 3] = ["json", "msgpack", "sse"];

/// What the edge counts. Handles are looked up once; counting is an atomic addition.
pub struct EdgeMetrics {
    /// Sockets with a session, by encoding.
    pub connections: [Gauge; ENCODINGS.len()],
    /// Connections without a session.
    pub unauthenticated: Gauge,
    /// Connections accepted.
    pub accepted: Counter,
    /// Failed accepts.
    pub accept_errors: Counter,
    /// Time to a session.
    pub auth_seconds: Histogram,
    /// Sockets given up for silence.
    pub heartbeat_timeouts: Counter,
    /// Pauses in reading.
    pub read_pauses: Counter,
    /// Frames read.
    pub frames_read: Counter,
    /// Frames written.
    pub frames_written: Counter,
    /// Write calls.
    pub writes: Counter,
    /// Bytes written.
    pub written_bytes: Counter,
    /// Encodings made, by encoding.
    pub renderings: [Counter; ENCODINGS.len()],
    /// How far a drain has come.
    pub drain_progress: Gauge,
}

/// What is counted of files.
pub struct MediaMetrics {
    /// Files taken in, in the order of [`PURPOSES`].
    pub stored: [Counter; PURPOSES.len()],
    /// Files that are coming in.
    pub incoming: Gauge,
    /// Bytes that came.
    pub received_bytes: Counter,
    /// Bytes that were asked for.
    pub served_bytes: Counter,
    /// Files erased because they had fallen due.
    pub expired: Counter,
    /// Files erased by their owners.
    pub deleted: Counter,
    /// Files that a crash left.
    pub leftovers: Counter,
    refused: Vec<Counter>,
    images: Vec<Counter>,
}

impl MediaMetrics {
    fn new(of: &Registrar<'_>) -> Self {
        let [expired, deleted] = of.counters("parlance_media_erased_total", "cause", ["expired", "deleted"]);
        Self {
            stored: of.counters("parlance_media_stored_total", "purpose", PURPOSES),
            incoming: of.gauge("parlance_media_incoming", &[]),
            received_bytes: of.counter("parlance_media_received_bytes_total", &[]),
            served_bytes: of.counter("parlance_media_served_bytes_total", &[]),
            expired,
            deleted,
            leftovers: of.counter("parlance_media_leftovers_total", &[]),
            refused: FILE_REFUSALS.iter().map(|(_, name)| of.counter("parlance_media_refused_total", &[("reason", name)])).collect(),
            images: IMAGE_OUTCOMES.iter().map(|(_, name)| of.counter("parlance_media_images_total", &[("outcome", name)])).collect(),
        }
    }

    /// A file was not taken in.
    pub fn refused(&self, refusal: FileRefusal) {
        count_in(FILE_REFUSALS, refusal, &self.refused);
    }

    /// An image was looked into.
    pub fn looked(&self, outcome: ImageOutcome) {
        count_in(IMAGE_OUTCOMES, outcome, &self.images);
    }
}

struct CoreMetrics {
    posts: Counter,
    duplicates: Counter,
    key_conflicts: Counter,
    unknown: Counter,
    fenced: Counter,
    conflicts: Counter,
    claims: [Counter; 2],
    frozen: Counter,
    keys_loaded: Counter,
    deliveries: [Counter; 3],
    shed: [Counter; 3],
    gap_marks: Counter,
    watermark_writes: Counter,
    watermarks_raised: Counter,
    presence_emitted: Counter,
    presence_shed: Counter,
    typing: Counter,
    starts: [Counter; 3],
    sleeps: [Counter; 3],
    failures: [Counter; 3],
    resumed: [Counter; 4],
    post_seconds: Histogram,
    append_seconds: Histogram,
    batch_rows: Histogram,
    fanout_recipients: Histogram,
    fanout_seconds: Histogram,
    activation_seconds: Histogram,
}

/// What the embedded store has done since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreFigures {
    /// Commits.
    pub commits: u64,
    /// Waits for the disk.
    pub syncs: u64,
    /// Rows committed.
    pub rows: u64,
    /// Calls waiting now.
    pub inflight: u64,
    /// Stored records that could not be read.
    pub corrupt: u64,
    /// Commits that failed or hung.
    pub failed: u64,
    /// Calls of its ports, by name.
    pub calls: Vec<(&'static str, u64)>,
}

/// All metrics of one node.
pub struct Metrics {
    handle: PrometheusHandle,
    /// What the edge counts.
    pub edge: EdgeMetrics,
    /// What is counted of files.
    pub media: MediaMetrics,
    core: CoreMetrics,
    rejected: Vec<Counter>,
    auth_failures: Vec<Counter>,
    rate_limited: Vec<Counter>,
    ops: Vec<(&'static str, Histogram)>,
    errors: Vec<(&'static str, Counter)>,
    closed: Vec<(u16, Counter)>,
    statuses: Vec<(u16, Counter)>,
    hashes_waiting: Gauge,
    store: [Counter; 3],
    store_calls: Vec<(&'static str, Counter)>,
    store_commit_rows: Histogram,
    store_commit_seconds: Histogram,
    store_inflight: Gauge,
    store_errors: [Counter; 2],
}

/// The labels that others know: the doors' ops and error names, and the store's calls.
#[derive(Debug, Clone)]
pub struct Labels {
    /// Every op of a socket.
    pub ops: Vec<&'static str>,
    /// Every error's name.
    pub errors: Vec<&'static str>,
    /// Every call of the store's ports.
    pub calls: Vec<&'static str>,
}

const CLOSE_CODES: &[u16] =
    &[1000, 1001, 1002, 1006, 1007, 1009, 4000, 4010, 4011, 4013, 4014, 4200, 4202, 4203, 4204, 4400, 4401, 4402, 4404];
const STATUSES: &[u16] =
    &[101, 200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 416, 422, 426, 429, 431, 500, 503, 507];
const METADATA: Metadata<'static> = Metadata::new("parlance", metrics::Level::INFO, None);

struct Registrar<'a>(&'a PrometheusRecorder);

impl Registrar<'_> {
    fn key(name: &'static str, labels: &[(&'static str, &'static str)]) -> Key {
        let known = FAMILIES.iter().find(|family| family.name == name);
        let fits = known.is_some_and(|family| family.labels.iter().eq(labels.iter().map(|(label, _)| label)));
        assert!(fits, "{name} with these labels is not in the table");
        Key::from_parts(name, labels.iter().map(|(label, value)| Label::from_static_parts(label, value)).collect::<Vec<_>>())
    }
    fn counter(&self, name: &'static str, labels: &[(&'static str, &'static str)]) -> Counter {
        let counter = self.0.register_counter(&Self::key(name, labels), &METADATA);
        counter.increment(0); // so that it is exported before its first event
        counter
    }
    fn gauge(&self, name: &'static str, labels: &[(&'static str, &'static str)]) -> Gauge {
        let gauge = self.0.register_gauge(&Self::key(name, labels), &METADATA);
        gauge.set(0.0);
        gauge
    }
    fn histogram(&self, name: &'static str, labels: &[(&'static str, &'static str)]) -> Histogram {
        self.0.register_histogram(&Self::key(name, labels), &METADATA)
    }
    fn counters<const N: usize>(&self, name: &'static str, label: &'static str, values: [&'static str; N]) -> [Counter; N] {
        values.map(|value| self.counter(name, &[(label, value)]))
    }
    fn numbered(&self, name: &'static str, label: &'static str, numbers: &[u16]) -> Vec<(u16, Counter)> {
        let key = |number: &u16| Key::from_parts(name, vec![Label::new(label, number.to_string())]);
        numbers.iter().map(|number| (*number, self.0.register_counter(&key(number), &METADATA))).collect()
    }
}

impl Metrics {
    /// Metrics with all their series, at zero.
    pub fn new(labels: Labels) -> Arc<Self> {
        let recorder = recorder();
        let of = Registrar(&recorder);
        let ops = labels.ops.iter().map(|op| (*op, of.histogram("parlance_command_seconds", &[("op", op)]))).collect();
        let errors = labels.errors.iter().map(|name| (*name, of.counter("parlance_command_errors_total", &[("code", name)]))).collect();
        of.gauge("parlance_build_info", &[("version", env!("CARGO_PKG_VERSION"))]).set(1.0);
        Arc::new(Self {
            edge: edge(&of),
            media: MediaMetrics::new(&of),
            core: core(&of),
            rejected: REFUSALS.iter().map(|(_, name)| of.counter("parlance_edge_rejected_total", &[("reason", name)])).collect(),
            auth_failures: AUTH_FAILURES
                .iter()
                .map(|(_, name)| of.counter("parlance_edge_auth_failures_total", &[("reason", name)]))
                .collect(),
            rate_limited: BUCKETS.iter().map(|name| of.counter("parlance_limit_rate_limited_total", &[("bucket", name)])).collect(),
            ops,
            errors,
            closed: of.numbered("parlance_edge_closed_total", "code", CLOSE_CODES),
            statuses: of.numbered("parlance_edge_requests_total", "status", STATUSES),
            hashes_waiting: of.gauge("parlance_auth_hashes_waiting", &[]),
            store: ["parlance_store_commits_total", "parlance_store_syncs_total", "parlance_store_rows_total"]
                .map(|name| of.counter(name, &[])),
            store_calls: labels.calls.iter().map(|call| (*call, of.counter("parlance_store_calls_total", &[("call", call)]))).collect(),
            store_commit_rows: of.histogram("parlance_store_commit_rows", &[]),
            store_commit_seconds: of.histogram("parlance_store_commit_seconds", &[]),
            store_errors: of.counters("parlance_store_errors_total", "kind", ["corrupt", "stuck"]),
            store_inflight: of.gauge("parlance_store_inflight", &[]),
            handle: recorder.handle(),
        })
    }

    /// Admission refused.
    pub fn rejected(&self, refusal: Refusal) {
        count_in(REFUSALS, refusal, &self.rejected);
    }

    /// A credential proved nothing.
    pub fn auth_failed(&self, failure: AuthFailure) {
        count_in(AUTH_FAILURES, failure, &self.auth_failures);
    }

    /// A bucket ran empty.
    pub fn rate_limited(&self, bucket: &'static str) {
        let index = BUCKETS.iter().position(|name| *name == bucket).unwrap_or(BUCKETS.len() - 1);
        self.rate_limited[index].increment(1);
    }

    /// A request was answered after this time.
    pub fn answered(&self, op: &str, took: Duration) {
        if let Some((_, histogram)) = self.ops.iter().find(|(name, _)| *name == op) {
            histogram.record(took.as_secs_f64());
        }
    }

    /// A request was refused by the error of this name.
    pub fn refused(&self, error: &str) {
        if let Some((_, counter)) = self.errors.iter().find(|(name, _)| *name == error) {
            counter.increment(1);
        }
    }

    /// A socket ended with this code; one that is not listed counts as 1000.
    pub fn closed(&self, code: u16) {
        let (_, counter) = self.closed.iter().find(|(known, _)| *known == code).unwrap_or(&self.closed[0]);
        counter.increment(1);
    }

    /// An HTTP request was answered with this status.
    pub fn responded(&self, status: u16) {
        if let Some((_, counter)) = self.statuses.iter().find(|(known, _)| *known == status) {
            counter.increment(1);
        }
    }

    /// Takes over what the store counts by itself.
    pub fn take_over(&self, store: StoreFigures, hashes_waiting: usize) {
        let [commits, syncs, rows] = &self.store;
        commits.absolute(store.commits);
        syncs.absolute(store.syncs);
        rows.absolute(store.rows);
        for (call, count) in store.calls {
            if let Some((_, counter)) = self.store_calls.iter().find(|(name, _)| *name == call) {
                counter.absolute(count);
            }
        }
        let [corrupt, stuck] = &self.store_errors;
        corrupt.absolute(store.corrupt);
        stuck.absolute(store.failed);
        self.store_inflight.set(store.inflight as f64);
        self.hashes_waiting.set(hashes_waiting as f64);
    }

    /// The store committed so many rows in this time.
    pub fn committed(&self, rows: u64, took: Duration) {
        self.store_commit_rows.record(rows as f64);
        self.store_commit_seconds.record(took.as_secs_f64());
    }

    /// Folds recent samples; to be called every few seconds, or they pile up (KM3).
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// Everything in the exporter's text form. Takes milliseconds: not for the runtime's threads.
    pub fn render(&self) -> String {
        let mut text = self.handle.render();
        process(&mut text);
        text
    }
}

fn count_in<T: PartialEq + Copy>(names: &[(T, &str)], what: T, counters: &[Counter]) {
    let index = names.iter().position(|(known, _)| *known == what).expect("every case is in its table");
    counters[index].increment(1);
}

fn recorder() -> PrometheusRecorder {
    let mut builder = PrometheusBuilder::new();
    for family in FAMILIES {
        if let Form::Histogram(buckets) = family.form {
            builder = builder.set_buckets_for_metric(Matcher::Full(family.name.to_owned()), buckets).expect("no table of buckets is empty");
        }
    }
    let recorder = builder.build_recorder();
    for family in FAMILIES {
        match family.form {
            Form::Counter => recorder.describe_counter(family.name.into(), None, family.help.into()),
            Form::Gauge => recorder.describe_gauge(family.name.into(), None, family.help.into()),
            Form::Histogram(_) => recorder.describe_histogram(family.name.into(), None, family.help.into()),
        }
    }
    recorder
}

fn edge(of: &Registrar<'_>) -> EdgeMetrics {
    EdgeMetrics {
        connections: ENCODINGS.map(|encoding| of.gauge("parlance_edge_connections", &[("encoding", encoding)])),
        unauthenticated: of.gauge("parlance_edge_unauthenticated", &[]),
        accepted: of.counter("parlance_edge_accepted_total", &[]),
        accept_errors: of.counter("parlance_edge_accept_errors_total", &[]),
        auth_seconds: of.histogram("parlance_edge_auth_seconds", &[]),
        heartbeat_timeouts: of.counter("parlance_edge_heartbeat_timeouts_total", &[]),
        read_pauses: of.counter("parlance_edge_read_pauses_total", &[]),
        frames_read: of.counter("parlance_edge_frames_read_total", &[]),
        frames_written: of.counter("parlance_edge_frames_written_total", &[]),
        writes: of.counter("parlance_edge_writes_total", &[]),
        written_bytes: of.counter("parlance_edge_written_bytes_total", &[]),
        renderings: of.counters("parlance_delivery_renderings_total", "encoding", ENCODINGS),
        drain_progress: of.gauge("parlance_drain_progress_ratio", &[]),
    }
}

fn core(of: &Registrar<'_>) -> CoreMetrics {
    CoreMetrics {
        posts: of.counter("parlance_log_posts_total", &[]),
        duplicates: of.counter("parlance_log_duplicates_suppressed_total", &[]),
        key_conflicts: of.counter("parlance_log_key_conflicts_total", &[]),
        unknown: of.counter("parlance_log_append_unknown_total", &[]),
        fenced: of.counter("parlance_log_fenced_total", &[]),
        conflicts: of.counter("parlance_log_append_conflict_same_epoch_total", &[]),
        claims: of.counters("parlance_log_claims_total", "outcome", ["granted", "lost"]),
        frozen: of.counter("parlance_log_frozen_total", &[]),
        keys_loaded: of.counter("parlance_log_keys_loaded_total", &[]),
        deliveries: of.counters("parlance_delivery_deliveries_total", "class", CLASSES),
        shed: of.counters("parlance_delivery_shed_total", "class", CLASSES),
        gap_marks: of.counter("parlance_delivery_gap_marks_total", &[]),
        watermark_writes: of.counter("parlance_receipt_watermark_writes_total", &[]),
        watermarks_raised: of.counter("parlance_receipt_watermarks_raised_total", &[]),
        presence_emitted: of.counter("parlance_presence_emitted_total", &[]),
        presence_shed: of.counter("parlance_presence_shed_total", &[]),
        typing: of.counter("parlance_presence_typing_total", &[]),
        starts: of.counters("parlance_actor_starts_total", "kind", KINDS),
        sleeps: of.counters("parlance_actor_sleeps_total", "kind", KINDS),
        failures: of.counters("parlance_actor_failures_total", "kind", KINDS),
        resumed: of.counters("parlance_resume_attempts_total", "outcome", OUTCOMES),
        post_seconds: of.histogram("parlance_log_post_seconds", &[]),
        append_seconds: of.histogram("parlance_log_append_seconds", &[]),
        batch_rows: of.histogram("parlance_log_batch_rows", &[]),
        fanout_recipients: of.histogram("parlance_delivery_fanout_recipients", &[]),
        fanout_seconds: of.histogram("parlance_delivery_fanout_seconds", &[]),
        activation_seconds: of.histogram("parlance_actor_activation_seconds", &[]),
    }
}

fn class(class: Class) -> usize {
    match class {
        Class::Message => 0,
        Class::Annotation => 1,
        Class::Ephemeral => 2,
    }
}

fn kind(kind: ActorKind) -> usize {
    match kind {
        ActorKind::User => 0,
        ActorKind::Conversation => 1,
        ActorKind::Home => 2,
    }
}

fn outcome(outcome: ResumeOutcome) -> usize {
    match outcome {
        ResumeOutcome::Complete => 0,
        ResumeOutcome::Gap => 1,
        ResumeOutcome::Reset => 2,
        ResumeOutcome::TooLong => 3,
    }
}

impl Telemetry for Metrics {
    fn count(&self, what: Count, n: u64) {
        let core = &self.core;
        match what {
            Count::PostsAcked => core.posts.increment(n),
            Count::DuplicatesSuppressed => core.duplicates.increment(n),
            Count::KeyConflicts => core.key_conflicts.increment(n),
            Count::AppendsUnknown => core.unknown.increment(n),
            Count::Fenced => core.fenced.increment(n),
            Count::ConflictsSameEpoch => core.conflicts.increment(n),
            Count::ClaimsGranted => core.claims[0].increment(n),
            Count::ClaimsLost => core.claims[1].increment(n),
            Count::Frozen => core.frozen.increment(n),
            Count::KeysLoaded => core.keys_loaded.increment(n),
            Count::Deliveries(of) => core.deliveries[class(of)].increment(n),
            Count::Shed(of) => core.shed[class(of)].increment(n),
            Count::GapMarks => core.gap_marks.increment(n),
            Count::WatermarkWrites => core.watermark_writes.increment(n),
            Count::WatermarksRaised => core.watermarks_raised.increment(n),
            Count::PresenceEmitted => core.presence_emitted.increment(n),
            Count::PresenceShed => core.presence_shed.increment(n),
            Count::Typing => core.typing.increment(n),
            Count::ActorStarted(of) => core.starts[kind(of)].increment(n),
            Count::ActorSlept(of) => core.sleeps[kind(of)].increment(n),
            Count::ActorFailed(of) => core.failures[kind(of)].increment(n),
            Count::Resumed(of) => core.resumed[outcome(of)].increment(n),
            Count::RateLimited(bucket) => self.rate_limited(bucket),
        }
    }

    fn measure(&self, what: Measure, value: f64) {
        let core = &self.core;
        match what {
            Measure::PostSeconds => core.post_seconds.record(value),
            Measure::AppendSeconds => core.append_seconds.record(value),
            Measure::BatchRows => core.batch_rows.record(value),
            Measure::FanoutRecipients => core.fanout_recipients.record(value),
            Measure::FanoutSeconds => core.fanout_seconds.record(value),
            Measure::ActivationSeconds => core.activation_seconds.record(value),
        }
    }
}

/// What the kernel says about the process; written by hand because its CPU time has a fraction. What cannot be read is
/// left out.
fn process(text: &mut String) {
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    let status = read("status");
    let kib = |name: &str| field(&status, name).map(|kib| kib * 1_024.0);
    let stat = read("stat");
    let after_name: Vec<&str> = stat.rsplit_once(')').map_or_else(Vec::new, |(_, rest)| rest.split_whitespace().collect());
    let ticks = |index: usize| after_name.get(index).and_then(|ticks| ticks.parse::<f64>().ok()).map(|ticks| ticks / TICKS_PER_SECOND);
    let boot = fs::read_to_string("/proc/stat").ok().and_then(|stat| field(&stat, "btime"));
    let descriptors = fs::read_dir("/proc/self/fd").ok().map(|all| all.count() as f64);
    // NOTE: jemalloc's figures stand still until its epoch advances.
    let allocator = |read: fn() -> tikv_jemalloc_ctl::Result<usize>| epoch::advance().and_then(|_| read()).ok().map(|bytes| bytes as f64);
    let values = [
        ("process_allocated_bytes", allocator(stats::allocated::read)),
        ("process_allocator_resident_bytes", allocator(stats::resident::read)),
        ("process_allocator_retained_bytes", allocator(stats::retained::read)),
        ("process_cpu_seconds_total", ticks(11).zip(ticks(12)).map(|(user, system)| user + system)),
        ("process_resident_memory_bytes", kib("VmRSS:")),
        ("process_anonymous_memory_bytes", kib("RssAnon:")),
        ("process_open_fds", descriptors),
        ("process_max_fds", descriptors_max().map(|max| max as f64)),
        ("process_threads", field(&status, "Threads:")),
        ("process_start_time_seconds", boot.zip(ticks(19)).map(|(boot, after)| boot + after)),
    ];
    for (name, value) in values {
        let family = FAMILIES.iter().find(|family| family.name == name).expect("process metrics are in the table");
        let form = if family.form == Form::Counter { "counter" } else { "gauge" };
        if let Some(value) = value {
            write!(text, "# HELP {name} {}\n# TYPE {name} {form}\n{name} {value}\n\n", family.help)
                .expect("writing to a text does not fail");
        }
    }
}

/// Linux fixes what it shows to programs at 100 ticks a second.
const TICKS_PER_SECOND: f64 = 100.0;

fn field(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// The most descriptors that the process may open.
pub fn descriptors_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

/// `docs/metrics.md`.
pub fn document() -> String {
    let mut text = String::from(
        "# Metrics\n\nGenerated from `src/metrics.rs`; a test keeps it fresh. Served as `/metrics` by the ops listener. No label names a user, \
         a\nconversation or an address.\n\n| name | form | labels | help |\n| --- | --- | --- | --- |\n",
    );
    for family in FAMILIES {
        let form = match family.form {
            Form::Counter => "counter",
            Form::Gauge => "gauge",
            Form::Histogram(_) => "histogram",
        };
        writeln!(text, "| `{}` | {form} | {} | {} |", family.name, family.labels.join(", "), family.help)
            .expect("writing to a text does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use actors::limits::TABLE;

    use super::*;

    fn labels() -> Labels {
        Labels { ops: vec!["msg.send"], errors: vec!["malformed"], calls: vec!["heads"] }
    }

    #[test]
    fn names_are_unique_and_spelled_as_agreed() {
        let names: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), FAMILIES.len());
        for family in FAMILIES {
            assert!(family.name.starts_with("parlance_") || family.name.starts_with("process_"), "{}", family.name);
            assert_eq!(family.name.ends_with("_total"), family.form == Form::Counter, "{}", family.name);
            assert!(family.help.ends_with('.'), "{}", family.name);
            assert!(!family.labels.iter().any(|label| ["user", "conversation", "address", "path"].contains(label)), "{}", family.name);
        }
    }

    #[test]
    fn every_limit_is_seen_in_a_metric_that_exists() {
        for row in TABLE {
            let name = row.metric.split('{').next().unwrap_or_default();
            assert!(FAMILIES.iter().any(|family| family.name == name), "{}: {name}", row.name);
        }
    }

    #[test]
    fn what_is_exported_is_described_and_histograms_have_buckets() {
        let metrics = Metrics::new(labels());
        metrics.rejected(Refusal::NodeFull);
        metrics.auth_failed(AuthFailure::Expired);
        metrics.rate_limited("a bucket that nobody listed");
        metrics.answered("msg.send", Duration::from_millis(3));
        metrics.refused("malformed");
        metrics.closed(4_010);
        metrics.responded(404);
        metrics.count(Count::Deliveries(Class::Message), 5);
        metrics.measure(Measure::PostSeconds, 0.003);
        metrics.take_over(StoreFigures { commits: 2, syncs: 2, rows: 8, calls: vec![("heads", 3)], ..StoreFigures::default() }, 1);
        metrics.upkeep();
        let text = metrics.render();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let name = line.split(['{', ' ']).next().expect("a name");
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end).filter(|base| text.contains(&format!("# TYPE {base} histogram"))));
            let name = base.unwrap_or(name);
            assert!(FAMILIES.iter().any(|family| family.name == name), "{name} is not in the table");
            assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help");
        }
        for wanted in [
            "parlance_edge_rejected_total{reason=\"node_full\"} 1",
            "parlance_limit_rate_limited_total{bucket=\"other\"} 1",
            "parlance_delivery_deliveries_total{class=\"message\"} 5",
            "parlance_edge_closed_total{code=\"4010\"} 1",
            "parlance_store_rows_total 8",
            "parlance_store_calls_total{call=\"heads\"} 3",
            "parlance_command_seconds_bucket{op=\"msg.send\",le=\"0.005\"} 1",
            "process_resident_memory_bytes ",
            "process_cpu_seconds_total ",
        ] {
            assert!(text.contains(wanted), "{wanted} is missing in\n{text}");
        }
    }

    #[test]
    fn two_nodes_in_one_process_count_apart() {
        let (one, other) = (Metrics::new(labels()), Metrics::new(labels()));
        one.closed(4_000);
        assert!(one.render().contains("parlance_edge_closed_total{code=\"4000\"} 1"));
        assert!(other.render().contains("parlance_edge_closed_total{code=\"4000\"} 0"));
    }

    #[test]
    fn the_document_of_metrics_is_fresh() {
        let committed = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md")).unwrap_or_default();
        assert!(committed == document(), "docs/metrics.md is stale: run `cargo run -- config --metrics > docs/metrics.md`");
    }
}
