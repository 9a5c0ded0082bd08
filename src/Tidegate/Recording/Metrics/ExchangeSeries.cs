namespace Tidegate.Recording.Metrics;

/// <summary>How many exchanges a series had, and their content.</summary>
internal sealed class CountSeries
{
    public long Exchanges { get; set; }

    public long RequestBytes { get; set; }

    public long ResponseBytes { get; set; }

    /// <summary>The same exchanges without regard to who called; found once, so that an exchange costs one look-up.</summary>
    public DurationSeries? Durations { get; set; }

    /// <summary>The API's exchanges.</summary>
    public PhaseSeries? Phases { get; set; }

    /// <summary>At least one of the two is shared with others for want of room.</summary>
    public bool AreHistogramsFolded { get; set; }
}

/// <summary>How long a series' exchanges took in all.</summary>
internal sealed class DurationSeries
{
    public BucketHistogram Total { get; } = new();
}

/// <summary>Where the time of an API's exchanges went, and what its upstream was asked.</summary>
internal sealed class PhaseSeries
{
    public BucketHistogram Policies { get; } = new();

    /// <summary>Only exchanges that waited.</summary>
    public BucketHistogram Queue { get; } = new();

    /// <summary>Only exchanges that opened a connection.</summary>
    public BucketHistogram Connect { get; } = new();

    /// <summary>Only exchanges that got an answer.</summary>
    public BucketHistogram FirstByte { get; } = new();

    public long Attempts { get; set; }
}
