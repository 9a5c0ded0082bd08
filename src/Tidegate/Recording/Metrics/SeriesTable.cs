namespace Tidegate.Recording.Metrics;

/// <summary>A table of series that cannot grow without bound: beyond its capacity new keys are folded together. Not thread-safe.</summary>
/// <param name="capacity">Series of their own. The folded ones come on top; there are at most 80 of them: directions, outcomes and classes of status.</param>
internal sealed class SeriesTable<TSeries>(int capacity)
    where TSeries : class, new()
{
    private readonly Dictionary<SeriesKey, TSeries> _series = [];

    /// <summary>Every series, folded ones included.</summary>
    public IReadOnlyCollection<KeyValuePair<SeriesKey, TSeries>> Series => _series;

    /// <summary>Whether a key that was not seen before would be folded.</summary>
    public bool IsFull => _series.Count >= capacity;

    /// <summary>The key's series, made when it is new.</summary>
    /// <param name="key">What the exchange belongs to.</param>
    /// <param name="isFolded">There was no room: this is the series of others.</param>
    public TSeries For(in SeriesKey key, out bool isFolded)
    {
        isFolded = false;
        if (_series.TryGetValue(key, out var series))
        {
            return series;
        }

        var place = key;
        if (IsFull)
        {
            isFolded = true;
            place = key.Folded();
            if (_series.TryGetValue(place, out series))
            {
                return series;
            }
        }

        series = new TSeries();
        _series.Add(place, series);
        return series;
    }
}
