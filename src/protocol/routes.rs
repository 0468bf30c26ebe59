//! What the native protocol answers over HTTP beside the twins of the ops, as a table that the edge builds its router from.
//!
//! No handler is named here: an endpoint is a word, and the edge says what it does.

use http::Method;

/// One row of the table.
#[derive(Debug, Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, exactly, but for what stands in braces.
    pub path: &'static str,
    /// What it is.
    pub endpoint: Endpoint,
    /// What must be presented.
    pub needs: Needs,
}

/// What a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Makes an account and logs it in.
    SignUp,
    /// Begins a login.
    LogIn,
    /// Draws new tokens.
    Refresh,
    /// Ends a login.
    LogOut,
    /// The own account.
    Me,
    /// The WebSocket.
    Socket,
    /// The pushes as server-sent events.
    Events,
    /// The description of what is here.
    OpenApi,
    /// The description of the socket.
    AsyncApi,
    /// Takes a file in.
    Upload,
    /// The bytes of a file.
    File,
    /// The small image of an image.
    Thumbnail,
    /// The bytes of a file of a message.
    Attached,
    /// The small image of an image of a message.
    AttachedThumbnail,
    /// Erases a file.
    EraseFile,
}

/// What must be presented before the endpoint is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Needs {
    /// Nothing, or it is in the body, or it may come later.
    Nothing,
    /// An access token in the header `Authorization: Bearer`.
    Bearer,
}

/// The table.
pub fn routes() -> [Route; 15] {
    let route = |method, path, endpoint, needs| Route { method, path, endpoint, needs };
    [
        route(Method::POST, "/v1/accounts", Endpoint::SignUp, Needs::Nothing),
        route(Method::POST, "/v1/login", Endpoint::LogIn, Needs::Nothing),
        route(Method::POST, "/v1/refresh", Endpoint::Refresh, Needs::Nothing),
        route(Method::POST, "/v1/logout", Endpoint::LogOut, Needs::Nothing),
        route(Method::GET, "/v1/me", Endpoint::Me, Needs::Bearer),
        route(Method::POST, "/v1/media", Endpoint::Upload, Needs::Bearer),
        route(Method::GET, "/v1/media/{id}", Endpoint::File, Needs::Bearer),
        route(Method::GET, "/v1/media/{id}/thumbnail", Endpoint::Thumbnail, Needs::Bearer),
        route(Method::DELETE, "/v1/media/{id}", Endpoint::EraseFile, Needs::Bearer),
        route(Method::GET, "/v1/conversations/{conv}/messages/{seq}/media/{n}", Endpoint::Attached, Needs::Bearer),
        route(Method::GET, "/v1/conversations/{conv}/messages/{seq}/media/{n}/thumbnail", Endpoint::AttachedThumbnail, Needs::Bearer),
        route(Method::GET, "/v1/ws", Endpoint::Socket, Needs::Nothing),
        route(Method::GET, "/v1/events", Endpoint::Events, Needs::Bearer),
        route(Method::GET, "/v1/openapi.json", Endpoint::OpenApi, Needs::Nothing),
        route(Method::GET, "/v1/asyncapi.json", Endpoint::AsyncApi, Needs::Nothing),
    ]
}
