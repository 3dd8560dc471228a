//! The handlers of what is kept under an id, which are the same for each kind but for its names.

/// Handlers that read, list and delete what is kept of a kind, answered as a function of tenant, id and content makes it.
macro_rules! kept {
    (
        $kind:expr, $answer:ident = $shown:expr, at $one:tt in $all:tt;
        $(#[$read_doc:meta])* $read:ident; $(#[$list_doc:meta])* $list:ident; $(#[$delete_doc:meta])* $delete:ident;
    ) => {
        $(#[$read_doc])*
        #[utoipa::path(
            get,
            path = $one,
            tag = "delivery",
            params(("id" = ConnectionId, Path)),
            responses((status = OK, body = Kept<$answer>, headers(("ETag" = String))), (status = NOT_FOUND)),
        )]
        pub(in crate::control) async fn $read(
            State(state): State<ControlState>,
            Path(id): Path<String>,
            headers: HeaderMap,
        ) -> Result<Response, Problem> {
            let grant = authorize(&state, &headers).await?;
            super::read(&state, &grant.tenant, $kind, &id, $shown).await
        }

        $(#[$list_doc])*
        #[utoipa::path(
            get,
            path = $all,
            tag = "delivery",
            params(PageQuery),
            responses((status = OK, body = List<Kept<$answer>>)),
        )]
        pub(in crate::control) async fn $list(
            State(state): State<ControlState>,
            headers: HeaderMap,
            page: Result<Query<PageQuery>, QueryRejection>,
        ) -> Result<Json<List<Kept<$answer>>>, Problem> {
            let grant = authorize(&state, &headers).await?;
            super::list(&state, &grant.tenant, $kind, query(page)?, $shown).await
        }

        $(#[$delete_doc])*
        #[utoipa::path(
            delete,
            path = $one,
            tag = "delivery",
            params(("id" = ConnectionId, Path)),
            responses(
                (status = NO_CONTENT),
                (status = NOT_FOUND),
                (status = CONFLICT, description = "Something refers to it"),
            ),
        )]
        pub(in crate::control) async fn $delete(
            State(state): State<ControlState>,
            Path(id): Path<String>,
            headers: HeaderMap,
        ) -> Result<Response, Problem> {
            let grant = authorize(&state, &headers).await?;
            super::delete(&state, &grant.tenant, $kind, &id).await
        }
    };
}

/// The handler that puts what is kept as it is sent, of a type that is [`Plain`](super::plain::Plain).
macro_rules! put {
    ($content:ident at $one:tt; $(#[$doc:meta])* $put:ident;) => {
        $(#[$doc])*
        #[utoipa::path(
            put,
            path = $one,
            tag = "delivery",
            params(
                ("id" = ConnectionId, Path, description = "Chosen by who makes it"),
                ("If-Match" = Option<String>, Header, description = "ETag of what is to be changed"),
            ),
            request_body = $content,
            responses(
                (status = OK, body = Kept<$content>, headers(("ETag" = String))),
                (status = CREATED, body = Kept<$content>, headers(("ETag" = String))),
                (status = PRECONDITION_FAILED, description = "It was changed since"),
                (status = PRECONDITION_REQUIRED, description = "It is there, and If-Match is missing"),
            ),
        )]
        pub(in crate::control) async fn $put(
            State(state): State<ControlState>,
            Path(path): Path<String>,
            headers: HeaderMap,
            body: Bytes,
        ) -> Result<Response, Problem> {
            let grant = authorize(&state, &headers).await?;
            let id: ConnectionId = id("id", &path)?;
            let content = body::read::<$content>(&body)?.checked(&state)?;
            let connection = Connection { id, body: String::new(), refers: content.refers(), sealed: None };
            super::put(&state, (&grant.tenant, $content::KIND, &headers), connection, content, |content| content).await
        }
    };
}

pub(super) use {kept, put};
