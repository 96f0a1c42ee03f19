//! Steps a second of candle's Mamba, one stream, on one core: the best burst of several
//! seconds. Prints {"steps_per_s": {"1": …}} for bench/peers/steps.py. Its step takes one
//! stream only: for another batch, candle-transformers 0.11.1 refuses to broadcast B, or,
//! where the batch is as large as d_inner, returns other numbers.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{VarBuilder, VarMap};
use candle_transformers::models::mamba::{Config, Model, State};
use std::time::{Duration, Instant};

fn main() -> Result<()> {
    let seconds: f64 = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(3.0);
    let cfg = Config { d_model: 64, n_layer: 2, vocab_size: 32, pad_vocab_size_multiple: 16 };
    let device = Device::Cpu;
    let vars = VarMap::new();
    let model = Model::new(&cfg, VarBuilder::from_varmap(&vars, DType::F32, &device))?;
    let mut state = State::new(1, &cfg, DType::F32, &device)?;
    let token = Tensor::from_vec(vec![7u32], (1,), &device)?;
    let (began, mut best, burst) = (Instant::now(), f64::MAX, 20);
    while began.elapsed() < Duration::from_secs_f64(seconds) {
        let t = Instant::now();
        for _ in 0..burst {
            model.forward(&token, &mut state)?;
        }
        best = best.min(t.elapsed().as_secs_f64() / burst as f64);
    }
    println!("{{\"steps_per_s\": {{\"1\": {:.0}}}}}", 1.0 / best);
    Ok(())
}
