//! `rowtide demo`: two devices of one user, and a sync service, in one program. Everything in it is real: the service listens
//! on a port, and the devices are clients with files of their own.

mod devices;
mod files;
mod hints;
mod screen;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rowtide_service::{Dev, DevOptions};
use tokio::runtime::Runtime;

use self::devices::Device;
use self::files::Files;
use self::screen::Screen;
use crate::exit::Outcome;
use crate::output::count;

/// Shows two devices that sync through a service, go offline, write, and come back.
///
/// All of it is real: a sync service over an SQLite database, and two clients with a file each. The files stay, so that you
/// can look into them afterwards.
#[derive(clap::Args)]
pub(crate) struct Demo {
    /// Where the files are kept; those of an earlier demo are replaced
    #[arg(long, value_name = "FOLDER", default_value = "rowtide-demo")]
    dir: PathBuf,
    /// Without pauses for reading
    #[arg(long)]
    fast: bool,
}

/// Nothing in the demo takes so long, not even on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whose devices they are.
const USER: &str = "alice";

impl Demo {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let files = Files::prepare(&self.dir)?;
        let screen = Screen::new(self.fast);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.context("Starting the threads of the service")?;
        let stage = Stage::open(&runtime, &files, screen)?;
        stage.first_sync()?;
        stage.apart()?;
        stage.reunite()?;
        stage.close(&runtime)?;
        screen::put(&hints::text(&files));
        Ok(Outcome::Fine)
    }
}

/// The service and the devices, with one function for each scene.
struct Stage<'a> {
    screen: Screen,
    files: &'a Files,
    service: Dev,
    phone: Device,
    laptop: Device,
}

impl<'a> Stage<'a> {
    fn open(runtime: &Runtime, files: &'a Files, screen: Screen) -> Result<Self> {
        screen.heading("1. A sync service starts");
        let options =
            DevOptions { folder: Some(files.folder().to_owned()), seed: Some(files.seed()?), ..DevOptions::default() };
        let service = runtime.block_on(async {
            let service = Dev::start(options).await?;
            tokio::time::timeout(PATIENCE, service.ready()).await.context("The service did not become ready")?;
            anyhow::Ok(service)
        })?;
        screen.say(&format!("It follows {} and listens on {}.", files.shown("source.db"), service.url()));
        let token = service.token(USER).map_err(anyhow::Error::msg)?;
        let device = |name| Device::open(name, &files.device(name), &service.url(), &token);
        let (phone, laptop) = (device("phone")?, device("laptop")?);
        screen.pause();
        Ok(Self { screen, files, service, phone, laptop })
    }

    /// Both download everything.
    fn first_sync(&self) -> Result<()> {
        self.screen.heading("2. A phone and a laptop of Alice sync for the first time");
        for device in [&self.phone, &self.laptop] {
            let begin = Instant::now();
            device.connect();
            let progress = self.screen.progress(device.name());
            device.wait(PATIENCE, |status| {
                progress.show(status);
                status.first_sync
            })?;
            let (time, operations) = (begin.elapsed(), device.status().operations);
            progress.finish();
            let rate = operations as f64 / time.as_secs_f64();
            self.screen.say(&format!(
                "{:<7} {} rows in {:.2} s, {} rows a second",
                device.name(),
                count(operations),
                time.as_secs_f64(),
                count(rate as u64)
            ));
        }
        self.show_list()?;
        self.screen.pause();
        Ok(())
    }

    /// The phone loses its network, and both are written to.
    fn apart(&self) -> Result<()> {
        self.screen.heading("3. The phone is offline; both write");
        self.phone.disconnect();
        self.phone
            .write("INSERT INTO todos (id, list_id, description, done) VALUES (uuid(), 'list-groceries', 'Milk', 0)")?;
        self.phone.write("UPDATE todos SET done = 1 WHERE description = 'Bread'")?;
        self.laptop
            .write("INSERT INTO todos (id, list_id, description, done) VALUES (uuid(), 'list-groceries', 'Tea', 0)")?;
        self.laptop.write("UPDATE todos SET done = 1 WHERE description = 'Coffee'")?;
        self.laptop.wait(PATIENCE, |status| status.queued == 0 && !status.waits_for_upload)?;
        self.laptop.wait_for_gate(PATIENCE)?;
        self.screen.say("On the phone, Alice adds Milk and ticks Bread off. Both writes wait in its upload queue:");
        self.screen.table(&["write", "table", "columns"], &self.phone.queue()?);
        self.screen.say("On the laptop she adds Tea and ticks Coffee off. The service has taken both writes.");
        self.show_list()?;
        self.screen.pause();
        Ok(())
    }

    /// The phone comes back: first its gate is closed, then it opens.
    fn reunite(&self) -> Result<()> {
        self.screen.heading("4. The phone is online again");
        self.phone.hold_uploads();
        self.phone.connect();
        self.phone.wait(PATIENCE, |status| status.waits_for_upload)?;
        let gate = self.phone.gate()?;
        ensure!(!gate.is_open, "the gate of the phone should be closed");
        self.screen.say(&format!(
            "The laptop's changes have arrived, but the gate is closed ({}): {} rows are held back. \
             Otherwise what Alice wrote here would vanish from her screen until the service has it.",
            gate.state, gate.rows_held_back
        ));
        self.show_list()?;
        self.screen.pause();
        self.phone.release_uploads();
        self.phone.wait(PATIENCE, |status| status.queued == 0 && !status.waits_for_upload)?;
        self.phone.wait_for_gate(PATIENCE)?;
        self.screen
            .say("The phone uploads its writes. The service sends them back with all the rest, and the gate opens.");
        let rows = self.wait_until_equal()?;
        self.show_list()?;
        self.screen.good(&format!("Phone, laptop and server have the same {} rows.", count(rows)));
        self.screen.pause();
        Ok(())
    }

    /// The laptop follows by itself; how many rows all three have.
    fn wait_until_equal(&self) -> Result<u64> {
        let source = self.files.source_rows(USER)?;
        self.laptop.wait(PATIENCE, |_| self.laptop.rows().is_ok_and(|rows| rows == source))?;
        let phone = self.phone.rows()?;
        if phone != source {
            bail!("the phone has {} rows, the server has {}, and they differ", phone.len(), source.len());
        }
        Ok(source.len() as u64)
    }

    /// The list that both change, as each of them has it.
    fn show_list(&self) -> Result<()> {
        let list = "list-groceries";
        let columns = [
            ("phone", self.phone.list(list)?),
            ("laptop", self.laptop.list(list)?),
            ("server", self.files.source_list(list)?),
        ];
        self.screen.side_by_side("Groceries", &columns);
        Ok(())
    }

    fn close(self, runtime: &Runtime) -> Result<()> {
        self.phone.close()?;
        self.laptop.close()?;
        runtime.block_on(self.service.stop());
        Ok(())
    }
}
