// A heart to be recorded: lead II as the sum of five bumps a beat, after McSharry et al. 2003 (doi:10.1109/TBME.2003.808805).

// P, Q, R, S, T: seconds from the R peak, width in seconds, height in mV.
const WAVES = [[-0.17, 0.025, 0.12], [-0.035, 0.01, -0.1], [0, 0.011, 1.1], [0.035, 0.01, -0.22], [0.28, 0.05, 0.28]];

export const RATE_HZ = 250;

// Seconds to the next beat, of a heart between 62 and 86 beats a minute.
const regular = (at) => 60 / (74 + 12 * Math.sin(at / 80)) * (1 + 0.03 * Math.sin(Math.PI * at / 2));

// Microvolts of each second. Between two seconds the atria fibrillate: each beat comes when it likes, without a P wave.
export function record(seconds, [onset, end]) {
  const samples = new Float64Array(seconds * RATE_HZ);
  let chance = 17;
  const irregular = () => {
    chance = (chance * 16_807) % 2_147_483_647;
    return 0.38 + 0.5 * chance / 2_147_483_647;
  };
  for (let beat = 0.4, isIrregular = false; beat < seconds; beat += isIrregular ? irregular() : regular(beat)) {
    isIrregular = beat >= onset && beat < end;
    for (const [offset, width, height] of WAVES.slice(isIrregular ? 1 : 0)) {
      const centre = beat + offset;
      const first = Math.max(0, Math.ceil((centre - 5 * width) * RATE_HZ));
      const last = Math.min(samples.length - 1, Math.floor((centre + 5 * width) * RATE_HZ));
      for (let n = first; n <= last; n += 1) samples[n] += height * Math.exp(-0.5 * ((n / RATE_HZ - centre) / width) ** 2);
    }
  }
  // What the atria do instead.
  for (let n = onset * RATE_HZ; n < end * RATE_HZ; n += 1) {
    samples[n] += 0.035 * Math.sin(2 * Math.PI * 6.1 * n / RATE_HZ) + 0.02 * Math.sin(2 * Math.PI * 7.7 * n / RATE_HZ);
  }
  const microvolts = Array.from(samples, (mv) => Math.round(mv * 1000));
  return Array.from({ length: seconds }, (_, second) => microvolts.slice(second * RATE_HZ, (second + 1) * RATE_HZ));
}
