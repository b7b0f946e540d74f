"""Audio of any length to text with times: what people do with a tuned model."""
