//! Follows a store that another process writes: new checkpoints and what they change, and what processes ask of the one that
//! writes.
//!
//! One thread has one connection. It listens, and looks at times, too, since a notification can be lost with a connection.
//! What it reads is chained by commit numbers, so it knows when it has missed something.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pg_connect::postgres::fallible_iterator::FallibleIterator;
use sync_engine::live::{ConfigId, ConfigRecord, LivePlan};
use sync_engine::notice::CommitNotice;
use sync_engine::store::{Readers, StoreError};

use super::desk::{Inner, PostgresDesk, StoreRequest};
use super::error::Doing;
use super::news;
use super::open::prepare;
use super::reader::PostgresReaders;
use super::records;
use super::session::{Session, identifier};
use super::shared::{Place, Point, Shared, lock};
use super::store::{CHECKPOINT, measure, newest, visible};

/// How long the thread waits for a notification. It ends after that at the latest.
const WAIT: Duration = Duration::from_millis(400);
/// How often it looks without a notification.
const LOOK: Duration = Duration::from_secs(2);
/// How often it says what this process reads. Whoever compacts forgets it after 60 s.
const REFRESH: Duration = Duration::from_secs(10);
const MEASURE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What happens to a store that is followed. All is told by one thread, in order.
pub enum StoreEvent {
    /// From now on there are these readers, at least at the checkpoint of this configuration.
    Began {
        /// They give checkpoints that were told.
        readers: Arc<dyn Readers>,
        /// The active configuration; none before the first checkpoint.
        config: Option<ConfigRecord>,
    },
    /// Another configuration is active from the next notice on.
    Activated(ConfigRecord),
    /// There is a new checkpoint.
    Committed(CommitNotice),
    /// What the readers read may be gone. Other ones follow.
    Ended,
    /// A process asks the one that writes, which this one is.
    Asked(StoreRequest),
    /// The server could not be reached; what is tried again.
    Failed(StoreError),
    /// It can be reached.
    Recovered,
}

/// A store that is followed, until this is dropped.
pub struct PostgresFollower {
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

impl PostgresFollower {
    /// Begins to follow the store of a desk. `tell` is called by one thread.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(desk: &PostgresDesk, tell: impl FnMut(StoreEvent) + Send + 'static) -> Result<Self, StoreError> {
        let inner = Arc::clone(&desk.0);
        let follower = Thread { inner: Arc::clone(&inner), tell: Box::new(tell), following: None, is_well: true };
        let thread = std::thread::Builder::new().name("follower".into()).spawn(move || follower.run());
        let thread = thread.map_err(|error| {
            StoreError::Unavailable(format!("The storage failed while starting a thread that follows it: {error}."))
        })?;
        Ok(Self { inner, thread: Some(thread) })
    }

    /// Ends it, and waits until other processes know.
    pub fn stop(mut self) {
        self.inner.is_stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for PostgresFollower {
    /// The thread ends soon.
    fn drop(&mut self) {
        self.inner.is_stopping.store(true, Ordering::Release);
    }
}

/// What the thread knows of the store.
struct Following {
    shared: Arc<Shared>,
    /// The commit that was told last.
    seq: i64,
    plan: Option<Arc<LivePlan>>,
    /// Whether something was not told.
    is_behind: bool,
    refreshed_at: Instant,
    measured_at: Option<Instant>,
}

struct Thread {
    inner: Arc<Inner>,
    tell: Box<dyn FnMut(StoreEvent) + Send>,
    following: Option<Following>,
    is_well: bool,
}

/// Notifications that have come.
#[derive(Clone, Copy, Default)]
struct News {
    commit: bool,
    request: bool,
    answer: bool,
}

const ALL_NEWS: News = News { commit: true, request: true, answer: true };

impl Thread {
    fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        while !self.is_stopping() {
            let followed = prepare(&self.inner.place, self.inner.instance.as_deref())
                .and_then(|mut session| self.follow(&mut session, &mut pause));
            if let Err(error) = followed {
                if std::mem::take(&mut self.is_well) {
                    (self.tell)(StoreEvent::Failed(error));
                }
                self.sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.inner.is_stopping.load(Ordering::Acquire)
    }

    fn sleep(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.is_stopping() && Instant::now() < until {
            std::thread::sleep(FIRST_PAUSE.min(pause));
        }
    }

    /// Follows with one connection, until it is broken or the thread ends.
    fn follow(&mut self, session: &mut Session, pause: &mut Duration) -> Result<(), StoreError> {
        let what = "listening for checkpoints";
        session.batch(&format!("LISTEN {}", identifier(&self.inner.place.schema)), what)?;
        let (mut news, mut looked_at) = (ALL_NEWS, Instant::now());
        // Other connections were broken as well, perhaps for long.
        let mut is_first = true;
        loop {
            if self.is_stopping() {
                return self.leave(session);
            }
            self.keep_lease(session, std::mem::take(&mut is_first))?;
            if looked_at.elapsed() >= LOOK {
                news = ALL_NEWS;
            }
            if news.commit {
                looked_at = Instant::now();
                self.read_commits(session)?;
            }
            if !self.inner.is_writing.load(Ordering::Acquire) {
                lock(&self.inner.taken).clear();
            } else if news.request || lock(&self.inner.taken).is_empty() {
                self.read_requests(session)?;
            }
            if news.answer {
                self.read_answers(session)?;
            }
            if !std::mem::replace(&mut self.is_well, true) {
                (self.tell)(StoreEvent::Recovered);
            }
            *pause = FIRST_PAUSE;
            news = wait(session)?;
        }
    }

    /// Says what this process reads, and begins again if it was forgotten.
    fn keep_lease(&mut self, session: &mut Session, is_new_connection: bool) -> Result<(), StoreError> {
        if let Some(following) = &mut self.following {
            if !is_new_connection && following.refreshed_at.elapsed() < REFRESH {
                return Ok(());
            }
            if following.refresh(session)? {
                return Ok(());
            }
            self.following = None;
            *lock(&self.inner.shared) = None;
            lock(&self.inner.pending).clear();
            (self.tell)(StoreEvent::Ended);
        }
        let (following, config) = Following::begin(session, &self.inner.place)?;
        *lock(&self.inner.shared) = Some(Arc::clone(&following.shared));
        let readers = Arc::new(PostgresReaders(Arc::clone(&following.shared)));
        self.following = Some(following);
        (self.tell)(StoreEvent::Began { readers, config });
        Ok(())
    }

    fn read_commits(&mut self, session: &mut Session) -> Result<(), StoreError> {
        const MOST: i64 = 100;
        let Some(following) = &mut self.following else { return Ok(()) };
        let commits = format!(
            "SELECT {CHECKPOINT}, n.previous, n.changes, n.users, n.clients FROM checkpoint AS c LEFT JOIN notice AS n ON n.seq = c.seq
            WHERE c.seq > $1 ORDER BY c.seq LIMIT $2"
        );
        loop {
            let rows = session.query(&commits, &[&following.seq, &MOST], "reading new checkpoints")?;
            let count = rows.len();
            for row in rows {
                let visible = visible(&row);
                let (previous, changes): (Option<i64>, Option<&[u8]>) = (row.get(6), row.get(7));
                let activated = following.activated(session, visible.checkpoint.config)?;
                let mut notice = CommitNotice::new(visible.checkpoint.clone());
                let is_next = previous == Some(following.seq) && !following.is_behind;
                match changes.filter(|_| is_next) {
                    Some(changes) => {
                        let names = |column| row.get::<_, Option<Vec<Vec<u8>>>>(column).unwrap_or_default();
                        news::read(changes, (names(8), names(9)), &mut notice)?;
                    }
                    None => notice.everything = true,
                }
                if notice.everything || activated.is_some() {
                    notice.activated.clone_from(&following.plan);
                }
                following.seq = visible.seq;
                following.shared.publish(visible);
                // Without a plan, clients cannot use it.
                following.is_behind = following.plan.is_none();
                if let Some(config) = activated {
                    (self.tell)(StoreEvent::Activated(config));
                }
                if !following.is_behind {
                    (self.tell)(StoreEvent::Committed(notice));
                }
            }
            if (count as i64) < MOST {
                return Ok(());
            }
        }
    }

    fn read_requests(&mut self, session: &mut Session) -> Result<(), StoreError> {
        let open = "SELECT lease, number, body FROM request WHERE answer IS NULL ORDER BY at";
        let rows = session.query(open, &[], "reading what processes ask")?;
        // What is answered or was given up is not asked again.
        lock(&self.inner.taken).retain(|one| rows.iter().any(|row| *one == (row.get(0), row.get(1))));
        for row in rows {
            let request = StoreRequest { lease: row.get(0), number: row.get(1), body: row.get(2) };
            let is_new = lock(&self.inner.taken).insert((request.lease, request.number));
            if is_new {
                (self.tell)(StoreEvent::Asked(request));
            }
        }
        Ok(())
    }

    fn read_answers(&mut self, session: &mut Session) -> Result<(), StoreError> {
        let Some(following) = &self.following else { return Ok(()) };
        if lock(&self.inner.pending).is_empty() {
            return Ok(());
        }
        let take = "DELETE FROM request WHERE lease = $1 AND answer IS NOT NULL RETURNING number, answer";
        for row in session.query(take, &[&following.shared.lease], "reading answers")? {
            let reply = lock(&self.inner.pending).remove(&row.get(0));
            if let Some(reply) = reply {
                reply(row.get(1));
            }
        }
        Ok(())
    }

    fn leave(&mut self, session: &mut Session) -> Result<(), StoreError> {
        let Some(following) = self.following.take() else { return Ok(()) };
        let what = "ending to follow";
        session.execute("DELETE FROM lease WHERE id = $1", &[&following.shared.lease], what)?;
        session.execute("DELETE FROM request WHERE lease = $1", &[&following.shared.lease], what)?;
        Ok(())
    }
}

/// Waits for notifications, for a moment.
fn wait(session: &mut Session) -> Result<News, StoreError> {
    let what = "listening for checkpoints";
    let mut news = News::default();
    let client = session.client();
    let mut note = |payload: &str| match payload {
        "commit" => news.commit = true,
        "request" => news.request = true,
        "answer" => news.answer = true,
        _ => {}
    };
    let first = client.notifications().timeout_iter(WAIT).next().doing(what)?;
    if let Some(first) = first {
        note(first.payload());
        let mut notifications = client.notifications();
        let mut more = notifications.iter();
        while let Some(next) = more.next().doing(what)? {
            note(next.payload());
        }
    }
    if session.is_closed() {
        return Err(StoreError::Unavailable(
            "The storage failed while listening for checkpoints: the server has closed the connection.".to_owned(),
        ));
    }
    Ok(news)
}

impl Following {
    /// Registers the process, and reads where the store is.
    fn begin(session: &mut Session, place: &Place) -> Result<(Self, Option<ConfigRecord>), StoreError> {
        let what = "registering the process";
        let before = newest(session)?.map_or_else(Point::default, |at| Point {
            seq: at.seq,
            op_id: at.checkpoint.op_id,
            position: at.checkpoint.position,
        });
        let insert = "INSERT INTO lease(is_writer, name, seq, op_id, position) VALUES (false, $1, $2, $3, $4)
            RETURNING id";
        let values = (&place.name, &before.seq, &before.op_id, &before.position.0);
        let lease = session.query_one(insert, &[values.0, values.1, values.2, values.3], what)?.get(0);
        let shared = Arc::new(Shared::new(place.clone(), lease));
        let mut following =
            Self { shared, seq: 0, plan: None, is_behind: false, refreshed_at: Instant::now(), measured_at: None };
        // Only what is read now is kept from being compacted: the process was not known before.
        let mut config = None;
        if let Some(visible) = newest(session)? {
            config = following.activated(session, visible.checkpoint.config)?;
            following.seq = visible.seq;
            following.shared.publish(visible);
        }
        Ok((following, config))
    }

    /// Says what is read. Whether the process is still known.
    fn refresh(&mut self, session: &mut Session) -> Result<bool, StoreError> {
        let Point { seq, op_id, position } = self.shared.oldest_here().unwrap_or_default();
        let update =
            "UPDATE lease SET seq = $2, op_id = $3, position = $4, refreshed = clock_timestamp() WHERE id = $1";
        let values = (&self.shared.lease, &seq, &op_id, &position.0);
        let what = "saying what the process reads";
        let count = session.execute(update, &[values.0, values.1, values.2, values.3], what)?;
        self.refreshed_at = Instant::now();
        if self.measured_at.is_none_or(|at| at.elapsed() >= MEASURE) {
            self.shared.set_size(measure(session)?);
            self.measured_at = Some(self.refreshed_at);
        }
        Ok(count == 1)
    }

    /// The configuration of a checkpoint, if it is another one than before.
    fn activated(&mut self, session: &mut Session, id: ConfigId) -> Result<Option<ConfigRecord>, StoreError> {
        if self.plan.as_ref().is_some_and(|plan| plan.config == id) {
            return Ok(None);
        }
        let config = format!("SELECT {} FROM config WHERE id = $1", records::CONFIG);
        let row = session.query_opt(&config, &[&i64::from(id.0)], "reading a configuration")?;
        // It is deleted long after another one is active, whose checkpoint follows.
        let config = row.as_ref().map(records::config).transpose()?;
        self.plan = config.as_ref().map(|config| Arc::clone(&config.plan));
        Ok(config)
    }
}
