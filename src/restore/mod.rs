//! Restoring one image without training data (NAS-DIP; Ho, Gilbert, Jin and Collomosse, Computers & Graphics 2021): a network that was
//! trained on nothing is fitted to the damaged image alone, and gives it back better than it was (Ulyanov, Vedaldi and Lempitsky, Deep
//! Image Prior, CVPR 2018). Which network does that best is searched by evolution over bitstrings.
//!
//! No tensors here: [`Restoration`] asks a [`Fitter`] for them.

mod decode;
mod fit;
mod genome;
mod network;
mod options;
mod picture;
mod plan;
mod population;
mod problem;
mod quality;
mod resample;
mod saved;
mod search;

pub use fit::{Fit, Fitter, Gauge, Watch};
pub use genome::{Genome, Skip, Stage, Unit, MOST_UNITS};
pub use network::Network;
pub use options::{CostAxis, Downsampler, Fitness, RestoreOptions, SearchPart, Task, TrainPart};
pub use picture::Picture;
pub use plan::{Node, Op, Plan};
pub use population::{Known, Member, Population, Record};
pub use problem::Problem;
pub use quality::{psnr, ssim};
pub use resample::{downsampling, Matrix};
pub use saved::Saved;
pub use search::Restoration;
