"""Where joules come from: sensors, the sampler that reads them, the timeline they lie on, and the share of a window."""
