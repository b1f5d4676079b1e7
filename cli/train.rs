//! `nse train` and `nse export`: one architecture as a network of its own, and its files.

use crate::api::{Arch, Model, Space};
use crate::args::{Export, Train};
use crate::exit::{Failure, Outcome, INTERRUPTED, REFUSED};
use crate::inputs::{self, lay, lay_device, Data};
use crate::{results, run, Session};
use serde_json::{json, Value};
use std::path::Path;

pub fn train(args: &Train, session: &Session) -> Outcome<Value> {
    let mut options = inputs::object("--options", args.options.as_deref())?;
    lay(&mut options, &["train", "epochs"], args.epochs)?;
    lay(&mut options, &["train", "batch"], args.batch)?;
    lay(&mut options, &["train", "lr"], args.lr)?;
    lay(&mut options, &["seed"], args.seed)?;
    lay_device(&mut options, &args.device)?;
    let format = format_of(args.format.as_deref(), &args.out)?;
    let out = args.out.to_str().ok_or_else(|| Failure::new(REFUSED, format!("--out {}: not UTF-8", args.out.display())))?;
    let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Failure::new(crate::exit::DATA, format!("--out {out}: {} is not a folder", folder.display())));
    }
    let data = Data::named(&args.data)?;
    let (train, test) = (data.train()?, data.test()?);
    let arch = match (&args.run, &args.arch) {
        (Some(run), _) => results::best(&run::look(run)?, args.max_cost)?,
        (None, Some(arch)) => read(&inputs::space(&args.space, Some(&train))?, arch)?,
        (None, None) => return Err(Failure::new(crate::exit::USAGE, "RUN or --arch is needed")),
    };
    // Beside the model, until that is there: Ctrl-C or a crash costs at most a minute.
    let checkpoint = format!("{out}.checkpoint");
    lay(&mut options, &["checkpoint"], Some(json!({ "path": checkpoint, "resume": true })))?;
    let watch = session.watch();
    let trained = Model::train(&arch, &train, &Value::Object(options), &watch);
    watch.done();
    let model = trained.map_err(|failure| match failure.is_cancelled() {
        true => Failure::new(INTERRUPTED, format!("interrupted; saved in {checkpoint}. Go on with the same command")),
        false => failure,
    })?;
    model.export(&json!({ "format": format }), out)?;
    std::fs::remove_file(&checkpoint)
        .or_else(|e| if e.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
        .map_err(|e| Failure::file(Path::new(&checkpoint), e))?;
    let measured = test.map(|test| model.evaluate(&test)).transpose()?;
    let costs = arch.describe()?;
    session.print(|| {
        println!("{out}: {} MACs, {} parameters", costs["macs"], costs["params"]);
        if let Some((loss, accuracy)) = measured {
            println!("test accuracy {:.2}%, loss {loss:.4}", 100.0 * accuracy);
        }
    });
    let (loss, accuracy) = measured.map_or((None, None), |(loss, accuracy)| (Some(loss), Some(accuracy)));
    Ok(json!({
        "file": out, "format": format, "code": arch.code()?, "macs": costs["macs"], "params": costs["params"],
        "test_accuracy": accuracy, "test_loss": loss
    }))
}

pub fn export(args: &Export, session: &Session) -> Outcome<Value> {
    let [model, out] = [&args.model, &args.out].map(|path| {
        path.to_str().ok_or_else(|| Failure::new(REFUSED, format!("{}: the name of this file is not UTF-8", path.display())))
    });
    let (model, out) = (model?, out?);
    let options =
        json!({ "format": format_of(args.format.as_deref(), &args.out)?, "fold": args.fold, "normalise": args.normalise });
    Model::load(model)?.export(&options, out)?;
    session.print(|| println!("{out}"));
    Ok(json!({ "file": out, "options": options }))
}

/// As said, or by the end of the file's name.
fn format_of(said: Option<&str>, out: &Path) -> Outcome<String> {
    const ENDS: [(&str, &str); 5] =
        [("pt", "torchscript"), ("pth", "torchscript"), ("ts", "torchscript"), ("onnx", "onnx"), ("safetensors", "safetensors")];
    let end = out.extension().and_then(|end| end.to_str()).unwrap_or_default();
    let known = ENDS.iter().find(|(known, _)| *known == end).map(|(_, format)| *format);
    said.or(known).map(str::to_owned).ok_or_else(|| {
        let reason = "this end of a name is not known: say --format torchscript, onnx or safetensors";
        Failure::new(crate::exit::USAGE, format!("--out {}: {reason}", out.display()))
    })
}

/// A file with its JSON form, or a code.
fn read(space: &Space, arch: &str) -> Outcome<Arch> {
    let path = Path::new(arch);
    match path.is_file() || arch.ends_with(".json") {
        true => Arch::parse(space, &inputs::read(path)?),
        false => Arch::from_code(space, arch),
    }
}
