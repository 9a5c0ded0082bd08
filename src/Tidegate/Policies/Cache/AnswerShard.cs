using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// A part of the store with a lock of its own. What is let go follows S3-FIFO (Yang et al., 2023): new answers pass a small queue, those asked for again move
/// to the main one, and one that comes back soon after it left goes there at once. A scan so leaves what is used alone, and a hit moves nothing.
/// </summary>
internal sealed class AnswerShard
{
    // Of one URL. More is a field that should not be varied on.
    private const int MaxVariants = 32;
    private const int SmallShare = 10;
    private const byte MaxFrequency = 3;

    private readonly Lock _gate = new();
    private readonly AnswerQueue _small = new(AnswerPlace.Small);
    private readonly AnswerQueue _main = new(AnswerPlace.Main);
    private readonly AnswerIndex _index = new();
    private readonly GhostQueue _ghosts = new();

    public int Count => _index.Count;

    /// <summary>The newest answer that was chosen for requests like this one (RFC 9111 4.1).</summary>
    /// <param name="key">The URL and partition.</param>
    /// <param name="request">Its fields.</param>
    /// <param name="hasOthers">There are answers, for other requests.</param>
    public StoredAnswer? Find(UInt128 key, HeaderList request, out bool hasOthers)
    {
        hasOthers = false;
        lock (_gate)
        {
            for (var variant = _index.First(key); variant is not null; variant = AnswerIndex.NextVariant(variant))
            {
                hasOthers = true;
                if (VaryKey.Matches(variant.Vary, request))
                {
                    if (variant.Frequency < MaxFrequency)
                    {
                        variant.Frequency++;
                    }

                    return variant;
                }
            }

            return null;
        }
    }

    /// <summary>The newest answer of a key, whatever requests it is for.</summary>
    public StoredAnswer? FindAny(UInt128 key)
    {
        lock (_gate)
        {
            return _index.First(key);
        }
    }

    /// <summary>Puts an answer in front of the others of its URL and in the place of the one that it replaces. One that is newer stays, and the answer goes.</summary>
    /// <returns>Bytes that were let go for it.</returns>
    public long Put(StoredAnswer answer, StoredAnswer? replaced)
    {
        var freed = 0L;
        lock (_gate)
        {
            var variants = 0;
            for (var variant = _index.First(answer.Key); variant is not null;)
            {
                var next = AnswerIndex.NextVariant(variant);
                var isSame = variant.Vary.SequenceEqual(answer.Vary);
                if (variant != replaced && variant.Received > answer.Received && isSame)
                {
                    return freed + Freed(answer);
                }

                if (variant == replaced || isSame || ++variants >= MaxVariants)
                {
                    answer.Frequency = Math.Max(answer.Frequency, variant.Frequency);
                    freed += variant.Content == answer.Content ? variant.Bytes : Freed(variant);
                    Remove(variant);
                }

                variant = next;
            }

            _index.Add(answer);
            if (_ghosts.Remove(answer.Key, Count) || answer.Frequency > 1)
            {
                _main.Add(answer);
            }
            else
            {
                _small.Add(answer);
            }
        }

        return freed;
    }

    /// <summary>Takes an answer out.</summary>
    /// <returns>What it weighed; 0 when it was not there any more.</returns>
    public long Drop(StoredAnswer answer)
    {
        lock (_gate)
        {
            if (answer.Place == AnswerPlace.None)
            {
                return 0;
            }

            Remove(answer);
            return Freed(answer);
        }
    }

    /// <summary>Takes out what is there of a key for the same requests.</summary>
    /// <returns>What it weighed.</returns>
    public long DropSame(UInt128 key, ReadOnlySpan<byte> vary)
    {
        lock (_gate)
        {
            for (var variant = _index.First(key); variant is not null; variant = AnswerIndex.NextVariant(variant))
            {
                if (variant.Vary.SequenceEqual(vary))
                {
                    Remove(variant);
                    return Freed(variant);
                }
            }

            return 0;
        }
    }

    /// <summary>Lets the least useful answer go.</summary>
    /// <returns>What it weighed; 0 when there is none.</returns>
    public long Evict()
    {
        lock (_gate)
        {
            while (true)
            {
                var isSmall = _main.Oldest is null || _small.Bytes * SmallShare > _small.Bytes + _main.Bytes;
                if ((isSmall ? _small : _main).Oldest is not { } oldest)
                {
                    if (_small.Oldest is null)
                    {
                        return 0;
                    }

                    oldest = _small.Oldest;
                    isSmall = true;
                }

                if (oldest.Frequency > 0)
                {
                    Queue(oldest).Remove(oldest);
                    oldest.Frequency = isSmall ? (byte)0 : (byte)(oldest.Frequency - 1);
                    _main.Add(oldest);
                    continue;
                }

                if (isSmall)
                {
                    _ghosts.Add(oldest.Key, Count);
                }

                Remove(oldest);
                return Freed(oldest);
            }
        }
    }

    private void Remove(StoredAnswer answer)
    {
        Queue(answer).Remove(answer);
        _index.Remove(answer);
    }

    private AnswerQueue Queue(StoredAnswer answer) => answer.Place == AnswerPlace.Small ? _small : _main;

    /// <summary>What an answer that goes gives back: all but content that is still being read.</summary>
    private static long Freed(StoredAnswer answer) => answer.Bytes - answer.Content.Length + answer.Content.LetGo();
}
