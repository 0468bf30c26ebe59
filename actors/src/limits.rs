//! Every bound, in one table: its default, unit, enforcer, what happens at it, and the metric that shows it.
//!
//! `docs/limits.md` is generated from this table; a file or the environment sets values by the names here.
//! A new queue, map or loop needs a row.

use std::time::Duration;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds; written with a unit (`"250ms"`, `"5s"`) in a file.
    Millis,
    /// Things in a second.
    PerSecond,
}

/// One bound.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Which one.
    pub limit: Limit,
    /// Its name in files and in the environment.
    pub name: &'static str,
    /// Its value unless configured otherwise.
    pub default: u64,
    /// What it counts.
    pub unit: Unit,
    /// Who enforces it.
    pub enforcer: &'static str,
    /// What happens at it.
    pub at: &'static str,
    /// The metric that shows it.
    pub metric: &'static str,
}

/// The names of all bounds, in the order of [`TABLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Open sockets and HTTP connections of a node; 0 draws it from the descriptor limit less 1,000.
    ConnectionsNode,
    /// Open connections from one address.
    ConnectionsAddress,
    /// Sockets from one address that have not authenticated yet.
    UnauthenticatedAddress,
    /// Sessions of one user.
    SessionsUser,
    /// Time for a request head.
    HeadDeadline,
    /// Time for a request body.
    BodyDeadline,
    /// Time for the first frame to authenticate.
    AuthDeadline,
    /// Bytes of one frame or message on a socket.
    FrameBytes,
    /// Bytes of a frame before authentication.
    AuthFrameBytes,
    /// Bytes of an HTTP request body.
    HttpBodyBytes,
    /// Bytes of an HTTP request head.
    HttpHeadBytes,
    /// Requests in one frame.
    FrameRequests,
    /// Frames a second of one connection.
    FramesRate,
    /// Frames at once of one connection.
    FramesBurst,
    /// Bytes a second of one connection, inbound.
    InboundBytesRate,
    /// Requests of one connection that await their answer.
    RequestsInFlight,
    /// Requests over HTTP of one user that await their answer.
    RestInFlightUser,
    /// Requests over HTTP of one node that await their answer.
    RestInFlightNode,
    /// Time for the answer to a request over HTTP.
    RestDeadline,
    /// Time that a request over HTTP may wait for news.
    RestWait,
    /// Time without a request over HTTP after which a user without a session is forgotten.
    VisitIdle,
    /// Announcements and replies waiting in one outbound queue.
    OutboundFrames,
    /// Bytes waiting in one outbound queue.
    OutboundBytes,
    /// Time that a socket may take no bytes at all.
    WriteStall,
    /// Time between heartbeats.
    Heartbeat,
    /// Queries of one node at work.
    QueriesNode,
    /// Time for a query.
    QueryDeadline,
    /// Bytes of a message's body.
    BodyBytes,
    /// Mentions in one message.
    Mentions,
    /// Posts waiting in one conversation, in KiB of body rounded up, one at least.
    PostsWaiting,
    /// Messages a second of one user.
    PostsRateUser,
    /// Messages at once of one user.
    PostsBurstUser,
    /// Messages a second in one conversation.
    PostsRateConversation,
    /// Messages at once in one conversation.
    PostsBurstConversation,
    /// Rows of one batch.
    BatchRows,
    /// Bytes of one batch.
    BatchBytes,
    /// Time for which an unknown batch is sent again.
    UnknownRetry,
    /// Rows that a conversation keeps in memory for its client keys, at activation.
    KeysAtActivation,
    /// Later messages within which a client key is remembered.
    KeyWindow,
    /// Members of one group.
    Members,
    /// Members that one request adds.
    MembersPerRequest,
    /// Groups that one user creates in an hour.
    GroupsPerHour,
    /// Life of an invitation.
    InvitationLife,
    /// Members of a group above which changes of members alone are told together.
    MembersAnnounced,
    /// Edits of one message.
    EditsMessage,
    /// Kinds of reaction to one message.
    ReactionsMessage,
    /// Reactions of one user to one message.
    ReactionsUser,
    /// Files of one message.
    Attachments,
    /// Bonds of one user.
    BondsUser,
    /// Time between two counts of a user's unread messages over all conversations.
    UnreadTotal,
    /// Conversations of which the deleted messages are told apart when unread messages are counted.
    UnreadCounted,
    /// Requests for friendship that one user makes in an hour.
    RequestsPerHour,
    /// Users whom one user invites to groups in an hour.
    InvitesPerHour,
    /// Changes of one user's account in an hour.
    ProfilesPerHour,
    /// Searches a second of one user.
    SearchesRate,
    /// Searches at once of one user.
    SearchesBurst,
    /// Bonds of one user that are read for a list of them.
    BondsRead,
    /// Users in the answer to a search.
    SearchPage,
    /// Users whose searches and changes of their accounts are counted.
    RatesTracked,
    /// Notices of one user that stand.
    NoticesUser,
    /// Logins of one user that have not ended.
    LoginsUser,
    /// Entries or rows of one page.
    Page,
    /// Bytes of message bodies in one answer.
    PageBytes,
    /// Conversations of one sync request.
    SyncConversations,
    /// Entries that a sync answers inline for one conversation.
    SyncEntries,
    /// Entries that a sync answers inline in all.
    SyncEntriesTotal,
    /// Conversations of one user.
    Conversations,
    /// Users that one session watches for presence.
    PresenceWatched,
    /// Sessions that watch one user.
    PresenceWatchers,
    /// Time between the end of a user's last session and "offline".
    PresenceGrace,
    /// Time for which a login counts as being here.
    LoginPresence,
    /// Time between two typing signals of one user in one conversation.
    TypingInterval,
    /// Time for which a typing signal holds.
    TypingHold,
    /// Members of a conversation in which typing signals are announced.
    TypingAudience,
    /// Time over which receipts of a direct conversation are gathered.
    ReceiptsDirect,
    /// Time over which receipts of a group are gathered.
    ReceiptsGroup,
    /// Time without a command after which a conversation sleeps.
    IdleSleep,
    /// Time for one call of the store.
    StoreDeadline,
    /// Time for which announcements of an audience above `coalesce_audience` wait for the next batch.
    CoalesceAudience,
    /// Password hashes at work.
    HashesAtWork,
    /// Password hashes waiting.
    HashesWaiting,
    /// Password checks of one account in a minute.
    LoginsAccount,
    /// Password checks and signups of one address in a minute.
    LoginsAddress,
    /// Time for a change of an account, hashes included.
    ManageDeadline,
    /// Entries a second that are erased of deleted accounts.
    EraseRate,
    /// Life of an access token.
    AccessLife,
    /// Life of a refresh token.
    RefreshLife,
    /// Commits waiting for the embedded store's writer.
    CommitsWaiting,
    /// Rows of one commit of the embedded store.
    CommitRows,
    /// Bytes of one commit of the embedded store.
    CommitBytes,
    /// Heads that the embedded store's writer remembers.
    CommitHeads,
    /// Reads of the embedded store at work on threads for blocking work.
    ReadsAtWork,
    /// Rows that the embedded store reads where they are asked for.
    ReadRowsInline,
    /// Time after which a stuck commit stops the node.
    CommitWatchdog,
    /// Time over which clients are told to leave at a drain.
    DrainSpread,
    /// Time for the whole drain.
    DrainDeadline,
    /// Bytes of one file.
    MediaBytes,
    /// Bytes of all files of one user together.
    MediaQuota,
    /// Parts of one multipart body.
    MediaParts,
    /// Bytes of the head of one part.
    MediaPartHead,
    /// Files that come in at once on a node.
    UploadsNode,
    /// Files that come in at once from one user.
    UploadsUser,
    /// Files of one user in a minute.
    UploadsRate,
    /// Time for one file to come in.
    UploadDeadline,
    /// Images being decoded.
    ImagesAtWork,
    /// Images waiting to be decoded.
    ImagesWaiting,
    /// Pixels that an image declares.
    ImagePixels,
    /// Memory for decoding one image.
    ImageMemory,
    /// Time for decoding one image.
    ImageDeadline,
    /// Time between two looks for files that have fallen due.
    MediaSweep,
}

const fn row(limit: Limit, name: &'static str, default: u64, unit: Unit, texts: [&'static str; 3]) -> Row {
    Row { limit, name, default, unit, enforcer: texts[0], at: texts[1], metric: texts[2] }
}

/// Every bound, in the order of [`Limit`].
#[rustfmt::skip] // a row is a line
pub const TABLE: &[Row] = &[
    row(Limit::ConnectionsNode, "connections_node", 0, Unit::Count, ["edge/accept", "503 with Retry-After, then close", "parlance_edge_rejected_total{reason=\"node_full\"}"]),
    row(Limit::ConnectionsAddress, "connections_address", 200, Unit::Count, ["edge/admission", "429, then close; not for trusted addresses", "parlance_edge_rejected_total{reason=\"address_full\"}"]),
    row(Limit::UnauthenticatedAddress, "unauthenticated_address", 32, Unit::Count, ["edge/admission", "429 before the upgrade; not for trusted addresses", "parlance_edge_rejected_total{reason=\"unauthenticated_full\"}"]),
    row(Limit::SessionsUser, "sessions_user", 64, Unit::Count, ["user/state", "close 4404", "parlance_edge_rejected_total{reason=\"sessions_full\"}"]),
    row(Limit::HeadDeadline, "head_deadline", 10_000, Unit::Millis, ["edge/accept", "408 or close", "parlance_edge_rejected_total{reason=\"head_deadline\"}"]),
    row(Limit::BodyDeadline, "body_deadline", 30_000, Unit::Millis, ["edge/http", "408", "parlance_edge_requests_total{status=\"408\"}"]),
    row(Limit::AuthDeadline, "auth_deadline", 10_000, Unit::Millis, ["edge/websocket", "close 4203", "parlance_edge_closed_total{code=\"4203\"}"]),
    row(Limit::FrameBytes, "frame_bytes", 65_536, Unit::Bytes, ["edge/websocket", "close 1009", "parlance_edge_closed_total{code=\"1009\"}"]),
    row(Limit::AuthFrameBytes, "auth_frame_bytes", 8_192, Unit::Bytes, ["edge/websocket", "refused as too large, close 4204", "parlance_command_errors_total"]),
    row(Limit::HttpBodyBytes, "http_body_bytes", 262_144, Unit::Bytes, ["edge/http", "413", "parlance_edge_requests_total{status=\"413\"}"]),
    row(Limit::HttpHeadBytes, "http_head_bytes", 16_384, Unit::Bytes, ["edge/accept", "431", "parlance_edge_rejected_total{reason=\"head_bytes\"}"]),
    row(Limit::FrameRequests, "frame_requests", 64, Unit::Count, ["protocol/codec", "the frame is refused", "parlance_command_errors_total"]),
    row(Limit::FramesRate, "frames_rate", 50, Unit::PerSecond, ["edge/websocket", "refused with a pause; close 4202 if it goes on", "parlance_limit_rate_limited_total{bucket=\"frames\"}"]),
    row(Limit::FramesBurst, "frames_burst", 100, Unit::Count, ["edge/websocket", "see frames_rate", "parlance_limit_rate_limited_total{bucket=\"frames\"}"]),
    row(Limit::InboundBytesRate, "inbound_bytes_rate", 262_144, Unit::PerSecond, ["edge/websocket", "see frames_rate", "parlance_limit_rate_limited_total{bucket=\"bytes\"}"]),
    row(Limit::RequestsInFlight, "requests_in_flight", 64, Unit::Count, ["session", "the socket is not read until answers have gone out; a query takes eight places", "parlance_edge_read_pauses_total"]),
    row(Limit::RestInFlightUser, "rest_in_flight_user", 16, Unit::Count, ["edge/gate", "429; one that waits for news counts as a session instead", "parlance_limit_rate_limited_total{bucket=\"rest_user\"}"]),
    row(Limit::RestInFlightNode, "rest_in_flight_node", 1_024, Unit::Count, ["edge/gate", "503 with Retry-After", "parlance_limit_rate_limited_total{bucket=\"rest_node\"}"]),
    row(Limit::RestDeadline, "rest_deadline", 15_000, Unit::Millis, ["edge/rest", "a change is answered as unknown, a question as unavailable", "parlance_command_errors_total"]),
    row(Limit::RestWait, "rest_wait", 30_000, Unit::Millis, ["edge/poll", "a longer wish is refused; then the answer is that there is nothing new", "parlance_command_seconds"]),
    row(Limit::VisitIdle, "visit_idle", 60_000, Unit::Millis, ["user/actor", "the actor stops; the next request starts it again", "parlance_actor_starts_total"]),
    row(Limit::OutboundFrames, "outbound_frames", 256, Unit::Count, ["outbound", "ephemeral events are shed at half, messages become gap marks at the limit", "parlance_delivery_shed_total"]),
    row(Limit::OutboundBytes, "outbound_bytes", 1_048_576, Unit::Bytes, ["outbound", "see outbound_frames", "parlance_delivery_shed_total"]),
    row(Limit::WriteStall, "write_stall", 30_000, Unit::Millis, ["edge/websocket, edge/patient", "close 4011; over HTTP the connection ends", "parlance_edge_closed_total{code=\"4011\"}"]),
    row(Limit::Heartbeat, "heartbeat", 25_000, Unit::Millis, ["edge/heartbeat", "close 4010 after two and a half of them without a frame", "parlance_edge_heartbeat_timeouts_total"]),
    row(Limit::QueriesNode, "queries_node", 256, Unit::Count, ["node", "refused as busy", "parlance_limit_rate_limited_total{bucket=\"queries\"}"]),
    row(Limit::QueryDeadline, "query_deadline", 5_000, Unit::Millis, ["node", "refused as unavailable", "parlance_command_errors_total"]),
    row(Limit::BodyBytes, "body_bytes", 32_768, Unit::Bytes, ["conversation/state", "refused as too large", "parlance_command_errors_total"]),
    row(Limit::Mentions, "mentions", 100, Unit::Count, ["conversation/state", "refused", "parlance_command_errors_total"]),
    row(Limit::PostsWaiting, "posts_waiting", 1_024, Unit::Count, ["directory", "refused as busy", "parlance_limit_rate_limited_total{bucket=\"posts_waiting\"}"]),
    row(Limit::PostsRateUser, "posts_rate_user", 10, Unit::PerSecond, ["user/state", "refused with a pause", "parlance_limit_rate_limited_total{bucket=\"posts_user\"}"]),
    row(Limit::PostsBurstUser, "posts_burst_user", 50, Unit::Count, ["user/state", "see posts_rate_user", "parlance_limit_rate_limited_total{bucket=\"posts_user\"}"]),
    row(Limit::PostsRateConversation, "posts_rate_conversation", 100, Unit::PerSecond, ["conversation/state", "refused with a pause", "parlance_limit_rate_limited_total{bucket=\"posts_conversation\"}"]),
    row(Limit::PostsBurstConversation, "posts_burst_conversation", 200, Unit::Count, ["conversation/state", "see posts_rate_conversation", "parlance_limit_rate_limited_total{bucket=\"posts_conversation\"}"]),
    row(Limit::BatchRows, "batch_rows", 128, Unit::Count, ["log", "the rest waits for the next batch", "parlance_log_batch_rows"]),
    row(Limit::BatchBytes, "batch_bytes", 262_144, Unit::Bytes, ["log", "the rest waits for the next batch", "parlance_log_batch_rows"]),
    row(Limit::UnknownRetry, "unknown_retry", 10_000, Unit::Millis, ["log", "posts are answered unknown, the log is claimed anew", "parlance_log_append_unknown_total"]),
    row(Limit::KeysAtActivation, "keys_at_activation", 256, Unit::Count, ["conversation/keys", "more are loaded when a key is not among them", "parlance_log_keys_loaded_total"]),
    row(Limit::KeyWindow, "key_window", 4_096, Unit::Count, ["conversation/keys", "an older key counts as new", "parlance_log_duplicates_suppressed_total"]),
    row(Limit::Members, "members", 10_000, Unit::Count, ["conversation/state", "refused as full", "parlance_command_errors_total"]),
    row(Limit::MembersPerRequest, "members_per_request", 200, Unit::Count, ["conversation/state", "refused", "parlance_command_errors_total"]),
    row(Limit::GroupsPerHour, "groups_per_hour", 30, Unit::Count, ["user/state", "refused with a pause", "parlance_limit_rate_limited_total{bucket=\"groups\"}"]),
    row(Limit::InvitationLife, "invitation_life", 604_800_000, Unit::Millis, ["conversation/groups", "the invitation is good no longer", "parlance_command_errors_total"]),
    row(Limit::MembersAnnounced, "members_announced", 1_000, Unit::Count, ["conversation/crowd", "members are told of the span of such entries, once in receipts_group", "parlance_delivery_fanout_recipients"]),
    row(Limit::EditsMessage, "edits_message", 100, Unit::Count, ["conversation/amend", "refused as full", "parlance_command_errors_total"]),
    row(Limit::ReactionsMessage, "reactions_message", 20, Unit::Count, ["conversation/amend", "refused as full", "parlance_command_errors_total"]),
    row(Limit::ReactionsUser, "reactions_user", 8, Unit::Count, ["conversation/amend", "refused as full", "parlance_command_errors_total"]),
    row(Limit::Attachments, "attachments", 10, Unit::Count, ["conversation/state", "refused", "parlance_command_errors_total"]),
    row(Limit::BondsUser, "bonds_user", 5_000, Unit::Count, ["conversation/relate", "refused as full", "parlance_command_errors_total"]),
    row(Limit::UnreadTotal, "unread_total", 1_000, Unit::Millis, ["totals", "the count that comes last in this time is told", "parlance_delivery_shed_total"]),
    row(Limit::UnreadCounted, "unread_counted", 1_000, Unit::Count, ["answer/unread", "deleted messages of the rest count as unread", "parlance_command_seconds"]),
    row(Limit::RequestsPerHour, "requests_per_hour", 60, Unit::Count, ["user/state", "refused with a pause", "parlance_limit_rate_limited_total{bucket=\"requests\"}"]),
    row(Limit::InvitesPerHour, "invites_per_hour", 1_000, Unit::Count, ["user/state", "refused with a pause", "parlance_limit_rate_limited_total{bucket=\"invites\"}"]),
    row(Limit::ProfilesPerHour, "profiles_per_hour", 60, Unit::Count, ["accounts", "refused with a pause", "parlance_limit_rate_limited_total{bucket=\"profiles\"}"]),
    row(Limit::SearchesRate, "searches_rate", 5, Unit::PerSecond, ["answer/users", "refused with a pause", "parlance_limit_rate_limited_total{bucket=\"searches\"}"]),
    row(Limit::SearchesBurst, "searches_burst", 20, Unit::Count, ["answer/users", "see searches_rate", "parlance_limit_rate_limited_total{bucket=\"searches\"}"]),
    row(Limit::BondsRead, "bonds_read", 20_000, Unit::Count, ["answer/bonds", "the rest is not listed", "parlance_command_seconds"]),
    row(Limit::SearchPage, "search_page", 50, Unit::Count, ["answer/users", "a greater wish counts as this", "parlance_command_seconds"]),
    row(Limit::RatesTracked, "rates_tracked", 65_536, Unit::Count, ["rates", "the search or change of one more is refused as busy", "parlance_limit_rate_limited_total{bucket=\"rates\"}"]),
    row(Limit::NoticesUser, "notices_user", 1_000, Unit::Count, ["home/notices", "the oldest is withdrawn", "parlance_limit_rate_limited_total{bucket=\"notices_user\"}"]),
    row(Limit::LoginsUser, "logins_user", 50, Unit::Count, ["accounts", "the oldest ends", "parlance_limit_rate_limited_total{bucket=\"logins_user\"}"]),
    row(Limit::Page, "page", 200, Unit::Count, ["answer", "a greater wish counts as this", "parlance_command_seconds"]),
    row(Limit::PageBytes, "page_bytes", 262_144, Unit::Bytes, ["answer", "the page ends and says that there is more; a sync says gap; a list leaves last entries out", "parlance_command_seconds"]),
    row(Limit::SyncConversations, "sync_conversations", 500, Unit::Count, ["protocol", "refused", "parlance_command_errors_total"]),
    row(Limit::SyncEntries, "sync_entries", 50, Unit::Count, ["answer/sync", "a gap to page", "parlance_resume_attempts_total{outcome=\"gap\"}"]),
    row(Limit::SyncEntriesTotal, "sync_entries_total", 500, Unit::Count, ["answer/sync", "a gap to page", "parlance_resume_attempts_total{outcome=\"gap\"}"]),
    row(Limit::Conversations, "conversations", 10_000, Unit::Count, ["answer/conversations", "the rest is not listed", "parlance_command_seconds"]),
    row(Limit::PresenceWatched, "presence_watched", 500, Unit::Count, ["user/state", "refused", "parlance_command_errors_total"]),
    row(Limit::PresenceWatchers, "presence_watchers", 1_000, Unit::Count, ["user/state", "later watchers are not told of changes", "parlance_presence_shed_total"]),
    row(Limit::PresenceGrace, "presence_grace", 15_000, Unit::Millis, ["user/actor", "the watchers are told", "parlance_presence_emitted_total"]),
    row(Limit::LoginPresence, "login_presence", 60_000, Unit::Millis, ["user/actor", "the user counts as gone unless a session has begun", "parlance_presence_emitted_total"]),
    row(Limit::TypingInterval, "typing_interval", 3_000, Unit::Millis, ["user/state", "dropped", "parlance_presence_shed_total"]),
    row(Limit::TypingHold, "typing_hold", 6_000, Unit::Millis, ["client", "the signal is over", "parlance_presence_typing_total"]),
    row(Limit::TypingAudience, "typing_audience", 100, Unit::Count, ["conversation/actor", "not announced in larger ones", "parlance_presence_shed_total"]),
    row(Limit::ReceiptsDirect, "receipts_direct", 250, Unit::Millis, ["conversation/actor", "stored and announced together", "parlance_receipt_watermark_writes_total"]),
    row(Limit::ReceiptsGroup, "receipts_group", 1_000, Unit::Millis, ["conversation/actor", "stored and announced together", "parlance_receipt_watermark_writes_total"]),
    row(Limit::IdleSleep, "idle_sleep", 60_000, Unit::Millis, ["conversation/actor, home/actor", "the actor stops; the next command wakes it", "parlance_actor_sleeps_total"]),
    row(Limit::StoreDeadline, "store_deadline", 5_000, Unit::Millis, ["actors", "an append is unknown, a read unavailable", "parlance_store_errors_total"]),
    row(Limit::CoalesceAudience, "coalesce_audience", 64, Unit::Count, ["conversation/actor", "announcements to more sessions than this wait for a batch that is already on its way", "parlance_delivery_fanout_recipients"]),
    row(Limit::HashesAtWork, "hashes_at_work", 2, Unit::Count, ["auth", "the next one waits", "parlance_auth_hashes_waiting"]),
    row(Limit::HashesWaiting, "hashes_waiting", 64, Unit::Count, ["auth", "503 with Retry-After", "parlance_limit_rate_limited_total{bucket=\"hashes\"}"]),
    row(Limit::LoginsAccount, "logins_account", 5, Unit::Count, ["edge/admission", "429 with Retry-After, not from trusted addresses; who is logged in may try the password as often, from anywhere", "parlance_limit_rate_limited_total{bucket=\"logins_account\"}"]),
    row(Limit::LoginsAddress, "logins_address", 30, Unit::Count, ["edge/admission", "429 with Retry-After; not for trusted addresses", "parlance_limit_rate_limited_total{bucket=\"logins_address\"}"]),
    row(Limit::ManageDeadline, "manage_deadline", 30_000, Unit::Millis, ["node", "answered unknown", "parlance_command_errors_total"]),
    row(Limit::EraseRate, "erase_rate", 50, Unit::PerSecond, ["accounts/erasure", "the next one waits", "parlance_command_seconds"]),
    row(Limit::AccessLife, "access_life", 900_000, Unit::Millis, ["auth", "the token is refused as expired", "parlance_edge_auth_failures_total{reason=\"expired\"}"]),
    row(Limit::RefreshLife, "refresh_life", 2_592_000_000, Unit::Millis, ["account", "the login has ended", "parlance_edge_auth_failures_total{reason=\"refresh\"}"]),
    row(Limit::CommitsWaiting, "commits_waiting", 4_096, Unit::Count, ["store/embedded", "the call waits, within its deadline", "parlance_store_inflight"]),
    row(Limit::CommitRows, "commit_rows", 512, Unit::Count, ["store/embedded", "the rest goes into the next commit", "parlance_store_commit_rows"]),
    row(Limit::CommitBytes, "commit_bytes", 1_048_576, Unit::Bytes, ["store/embedded", "the rest goes into the next commit", "parlance_store_commit_rows"]),
    row(Limit::CommitHeads, "commit_heads", 65_536, Unit::Count, ["store/embedded", "the older half is forgotten, and read again when it is needed", "parlance_store_commit_seconds"]),
    row(Limit::ReadsAtWork, "reads_at_work", 16, Unit::Count, ["store/embedded", "the next one waits", "parlance_actor_activation_seconds"]),
    row(Limit::ReadRowsInline, "read_rows_inline", 4, Unit::Count, ["store/embedded", "more are read on threads for blocking work", "parlance_actor_activation_seconds"]),
    row(Limit::CommitWatchdog, "commit_watchdog", 10_000, Unit::Millis, ["store/embedded", "the process stops", "parlance_store_errors_total{kind=\"stuck\"}"]),
    row(Limit::DrainSpread, "drain_spread", 5_000, Unit::Millis, ["edge/drain", "each client is told its own moment to return", "parlance_edge_closed_total{code=\"4000\"}"]),
    row(Limit::DrainDeadline, "drain_deadline", 25_000, Unit::Millis, ["app", "what is left is closed", "parlance_edge_closed_total{code=\"4000\"}"]),
    row(Limit::MediaBytes, "media_bytes", 26_214_400, Unit::Bytes, ["media", "413 while it comes; nothing is kept", "parlance_media_refused_total{reason=\"too_large\"}"]),
    row(Limit::MediaQuota, "media_quota", 1_073_741_824, Unit::Bytes, ["media", "409 while it comes; nothing is kept", "parlance_media_refused_total{reason=\"quota\"}"]),
    row(Limit::MediaParts, "media_parts", 20, Unit::Count, ["edge/media", "400; nothing is kept", "parlance_command_errors_total{code=\"too_many_items\"}"]),
    row(Limit::MediaPartHead, "media_part_head", 8_192, Unit::Bytes, ["edge/media", "413; nothing is kept", "parlance_command_errors_total{code=\"too_large\"}"]),
    row(Limit::UploadsNode, "uploads_node", 32, Unit::Count, ["edge/uploads", "503 with Retry-After", "parlance_limit_rate_limited_total{bucket=\"uploads_node\"}"]),
    row(Limit::UploadsUser, "uploads_user", 4, Unit::Count, ["edge/uploads", "429 with Retry-After", "parlance_limit_rate_limited_total{bucket=\"uploads_user\"}"]),
    row(Limit::UploadsRate, "uploads_rate", 60, Unit::Count, ["edge/uploads", "429 with Retry-After", "parlance_limit_rate_limited_total{bucket=\"uploads\"}"]),
    row(Limit::UploadDeadline, "upload_deadline", 600_000, Unit::Millis, ["edge/media", "408; nothing is kept; body_deadline bounds the time between two pieces", "parlance_media_refused_total{reason=\"slow\"}"]),
    row(Limit::ImagesAtWork, "images_at_work", 2, Unit::Count, ["media", "the next one waits", "parlance_media_images_total"]),
    row(Limit::ImagesWaiting, "images_waiting", 16, Unit::Count, ["media", "an attachment has no thumbnail; a picture is answered 503 with Retry-After", "parlance_media_images_total{outcome=\"shed\"}"]),
    row(Limit::ImagePixels, "image_pixels", 40_000_000, Unit::Count, ["media", "not decoded: an attachment is not shown inline, a picture is refused", "parlance_media_images_total{outcome=\"too_many_pixels\"}"]),
    row(Limit::ImageMemory, "image_memory", 268_435_456, Unit::Bytes, ["media", "as an image that cannot be decoded", "parlance_media_images_total{outcome=\"undecodable\"}"]),
    row(Limit::ImageDeadline, "image_deadline", 5_000, Unit::Millis, ["media", "as an image that cannot be decoded", "parlance_media_images_total{outcome=\"slow\"}"]),
    row(Limit::MediaSweep, "media_sweep", 60_000, Unit::Millis, ["media", "the bytes of files that have fallen due are erased; they are not given out from that moment on", "parlance_media_erased_total{cause=\"expired\"}"]),
];

/// The values in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits(Vec<u64>);

impl Default for Limits {
    fn default() -> Self {
        Self(TABLE.iter().map(|row| row.default).collect())
    }
}

impl Limits {
    /// The value in its own unit.
    pub fn get(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }
    /// The value as a number of things or bytes in memory.
    pub fn count(&self, limit: Limit) -> usize {
        usize::try_from(self.get(limit)).unwrap_or(usize::MAX)
    }
    /// The value of a limit in milliseconds.
    pub fn time(&self, limit: Limit) -> Duration {
        Duration::from_millis(self.get(limit))
    }
    /// Replaces a value.
    pub fn set(&mut self, limit: Limit, value: u64) {
        self.0[limit as usize] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_order_of_the_names() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.limit as usize, index, "{}", row.name);
        }
        let mut names: Vec<_> = TABLE.iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
    }
}
