namespace Tidegate.Policies.Cache.Disk;

/// <summary>
/// Of what waits to be written, which is the newest for its requests. An answer that was overtaken while it waited is older than what was served since, and must neither be written
/// nor found. As bounded as what may wait.
/// </summary>
internal sealed class DiskQueue
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(UInt128 Key, int Vary), (StoredAnswer? Newest, int Waiting)> _answers = [];

    /// <summary>An answer waits.</summary>
    public void Begin(StoredAnswer answer)
    {
        lock (_gate)
        {
            // Two that come at the same moment may arrive here in the other order.
            var place = PlaceOf(answer);
            var (newest, waiting) = _answers.GetValueOrDefault(place);
            _answers[place] = (newest is not null && newest.Received > answer.Received ? newest : answer, waiting + 1);
        }
    }

    /// <summary>It waits no more.</summary>
    public void End(StoredAnswer answer)
    {
        lock (_gate)
        {
            var place = PlaceOf(answer);
            if (_answers.TryGetValue(place, out var known))
            {
                if (known.Waiting == 1)
                {
                    _answers.Remove(place);
                }
                else
                {
                    _answers[place] = known with { Waiting = known.Waiting - 1 };
                }
            }
        }
    }

    /// <summary>Whether a newer one waits already.</summary>
    public bool IsOvertaken(StoredAnswer answer)
    {
        lock (_gate)
        {
            return _answers.GetValueOrDefault(PlaceOf(answer)).Newest is { } newest && newest != answer && newest.Received > answer.Received;
        }
    }

    /// <summary>An answer has come that is not written: those that wait are older.</summary>
    public void Pass(StoredAnswer answer) => Replace(answer, answer);

    /// <summary>What waits is no more.</summary>
    public void Forget(StoredAnswer answer) => Replace(answer, null);

    /// <summary>Whether nothing newer has come.</summary>
    public bool IsNewest(StoredAnswer answer)
    {
        lock (_gate)
        {
            return _answers.GetValueOrDefault(PlaceOf(answer)).Newest == answer;
        }
    }

    /// <summary>What overtook an answer is newer than what is on the disk; where nothing did, what is there is gone.</summary>
    public void Supersede(StoredAnswer answer, HttpCache cache)
    {
        StoredAnswer? newest;
        lock (_gate)
        {
            newest = _answers.GetValueOrDefault(PlaceOf(answer)).Newest;
        }

        if (newest is not null)
        {
            cache.Supersede(newest);
        }
        else
        {
            cache.Epochs.Purge(CacheKey.OfAnswer(answer));
        }
    }

    private void Replace(StoredAnswer answer, StoredAnswer? newest)
    {
        lock (_gate)
        {
            var place = PlaceOf(answer);
            if (_answers.TryGetValue(place, out var known))
            {
                _answers[place] = known with { Newest = newest };
            }
        }
    }

    private static (UInt128 Key, int Vary) PlaceOf(StoredAnswer answer)
    {
        var hash = new HashCode();
        hash.AddBytes(answer.Vary);
        return (answer.Key, hash.ToHashCode());
    }
}
