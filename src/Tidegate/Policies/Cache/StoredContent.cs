using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Cache;

/// <summary>
/// An answer's content: filled once, read by any number of readers while it fills and after. Content that turns out to be too large to keep goes on as a
/// window that moves with the slowest reader.
/// </summary>
internal sealed class StoredContent
{
    /// <summary>Below what the garbage collector treats as large.</summary>
    public const int PieceBytes = 32 * 1024;

    /// <summary>How far the upstream may be ahead of the fastest reader: what that one reads in some round trips, so that it never waits for more.</summary>
    private const long AheadBytes = 1024 * 1024;

    /// <summary>How far it may be ahead of the slowest one, once content is not kept.</summary>
    private const long WindowBytes = 256 * 1024;

    private const int FirstPieceBytes = 1024;

    // Above any number of readers.
    private const int Gone = 1 << 30;

    // While it comes, and for content that is not kept, what that takes (ContentFilling); then the bytes: in one array, at its end, or in pieces.
    private volatile object _state;
    private long _length;

    // Who reads complete content that is kept; with Gone, once the store has let it go.
    private int _readers;

    /// <param name="store">Where room for it is taken; null where nobody counts.</param>
    /// <param name="key">Where it belongs there.</param>
    /// <param name="total">Bytes in all, where that is known.</param>
    public StoredContent(AnswerStore? store = null, UInt128 key = default, long? total = null) => _state = new ContentFilling { Store = store, Key = key, Total = total ?? ContentFilling.Unknown };

    /// <summary>Parts of content.</summary>
    public StoredContent(HeldParts parts) => (_state, _length) = (parts, parts.Bytes);

    private StoredContent(object bytes, long length) => (_state, _length) = (bytes, length);

    /// <summary>What parts are known of it; null when it is a whole.</summary>
    public HeldParts? Parts => _state as HeldParts;

    /// <summary>Bytes in all, once known.</summary>
    public long? TotalLength => _state switch
    {
        ContentFilling { Total: ContentFilling.Unknown } => null,
        ContentFilling filling => filling.Total,
        HeldParts parts => parts.Total,
        _ => _length,
    };

    /// <summary>Everything is there.</summary>
    public bool IsComplete => _state is not ContentFilling filling || filling.IsComplete;

    /// <summary>Somebody reads it while it comes.</summary>
    public bool HasReaders
    {
        get
        {
            if (_state is not ContentFilling filling)
            {
                return false;
            }

            lock (filling.Gate)
            {
                return filling.Readers.Count > 0;
            }
        }
    }

    /// <summary>Fields behind the content. Content that has some is not kept.</summary>
    public HeaderList? Trailers => (_state as ContentFilling)?.Trailers;

    /// <summary>Bytes so far; of parts, what they take.</summary>
    public long Length => Interlocked.Read(ref _length);

    /// <summary>All of it, piece by piece, once complete and kept.</summary>
    public ReadOnlyMemory<byte>[] Pieces
    {
        get
        {
            if (_length == 0)
            {
                return [];
            }

            if (_state is byte[] single)
            {
                return [single.AsMemory(single.Length - (int)_length)];
            }

            var pieces = (byte[][])_state;
            return [.. pieces.Select(static piece => (ReadOnlyMemory<byte>)piece)];
        }
    }

    /// <summary>False once it is only a window: nobody may begin to read it.</summary>
    public bool IsKept => _state is not ContentFilling filling || filling.IsKept;

    /// <summary>How much room it would take beside an answer's fields; 0 when it is large, unknown or empty.</summary>
    public int PackedBytes => IsKept && Parts is null && TotalLength is > 0 and <= PieceBytes and var length ? (int)length : 0;

    /// <summary>It is at the end of that array.</summary>
    public bool IsIn(byte[] bytes) => _length == 0 || ReferenceEquals(_state, bytes);

    /// <summary>All the parts, as the whole that they are.</summary>
    public static StoredContent Of(HeldParts parts) => new(parts.Whole, parts.Total);

    /// <summary>Puts it at the end of an array: what is there, or, while it comes, what will be.</summary>
    /// <returns>It. Where it was complete, another one with the same bytes.</returns>
    public StoredContent CopyTo(byte[] bytes)
    {
        if (_state is ContentFilling filling)
        {
            filling.Packed = bytes;
            return this;
        }

        Copy(0, bytes.AsSpan(bytes.Length - (int)_length));
        return new StoredContent(bytes, _length);
    }

    /// <summary>Moves complete content to the end of another array. Whoever reads it goes on there.</summary>
    public void MoveTo(byte[] bytes)
    {
        Copy(0, bytes.AsSpan(bytes.Length - (int)_length));
        _state = bytes;
    }

    /// <summary>Takes room in the store for what comes next; false when there is none.</summary>
    public bool TryReserve(int bytes)
    {
        var filling = (ContentFilling)_state;
        if (filling.Store?.TryReserve(filling.Key, bytes) == false)
        {
            return false;
        }

        lock (filling.Gate)
        {
            filling.Held += bytes;
        }

        return true;
    }

    /// <summary>Adds bytes and wakes whoever waits for them.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        var filling = (ContentFilling)_state;
        lock (filling.Gate)
        {
            if (!filling.IsKept)
            {
                // A window is small, and what it takes is counted all the same: others make room for it.
                filling.Held += bytes.Length;
                filling.Store?.Take(bytes.Length);
            }

            if (filling.Packed is { } packed && _length + bytes.Length > filling.Total)
            {
                // More comes than was announced.
                var begun = packed.AsSpan((int)filling.PackedStart, (int)_length).ToArray();
                (filling.Packed, filling.Total) = (null, ContentFilling.Unknown);
                Interlocked.Exchange(ref _length, 0);
                Add(filling, begun);
            }

            Add(filling, bytes);
            filling.Wake();
        }
    }

    /// <summary>Nothing more comes, and whoever reads it learns so.</summary>
    /// <param name="trailers">What came behind it.</param>
    /// <returns>The room that was taken in the store, and is the caller's from now on; 0 when the content is not kept.</returns>
    public long Complete(HeaderList? trailers = null)
    {
        var end = End(trailers);
        end.Tell();
        return end.Reserved;
    }

    /// <summary>Nothing more comes. Spare room is given back. Who has read content that is kept to its end learns so when the caller tells: by then the answer is in its place.</summary>
    /// <param name="trailers">What came behind it.</param>
    public ContentEnd End(HeaderList? trailers = null)
    {
        var filling = (ContentFilling)_state;
        lock (filling.Gate)
        {
            if (trailers is { Count: > 0 })
            {
                // The upstream's own list goes with its exchange.
                filling.Trailers = new HeaderList();
                filling.Trailers.AddAll(trailers);
                filling.IsKept = false;
            }
            else
            {
                filling.Total = _length;
            }

            if (!filling.IsKept)
            {
                filling.IsComplete = true;
                Release(filling);
                filling.TellEnd();
                return default;
            }

            foreach (var reader in filling.Readers)
            {
                reader.IsCounted = true;
            }

            _readers = filling.Readers.Count;
            _state = filling.Packed is { } packed && packed.Length == filling.PackedStart + _length ? packed : Trimmed(filling);
            return new ContentEnd(filling, filling.Held);
        }
    }

    /// <summary>The rest will not come. Readers get what there is, and then the failure.</summary>
    public void Fail(Failure failure)
    {
        var filling = (ContentFilling)_state;
        lock (filling.Gate)
        {
            filling.Failure = failure;
            filling.IsKept = false;
            Release(filling);
            filling.Wake();
        }
    }

    /// <summary>From now on what every reader has read is let go.</summary>
    public void BecomeWindow()
    {
        var filling = (ContentFilling)_state;
        lock (filling.Gate)
        {
            filling.IsKept = false;
            Release(filling);
        }
    }

    /// <summary>Waits until the readers have caught up: for content that is kept the fastest one, for a window the slowest.</summary>
    public ValueTask WaitForRoomAsync()
    {
        var filling = (ContentFilling)_state;
        lock (filling.Gate)
        {
            return HasRoom(filling) ? default : (filling.Filler ??= new HomeSignal()).WaitAsync();
        }
    }

    /// <summary>A reader begins; false when it comes too late for that.</summary>
    public bool TryJoin(ContentReader reader)
    {
        if (_state is ContentFilling filling)
        {
            lock (filling.Gate)
            {
                if (!filling.IsKept)
                {
                    return false;
                }

                if (_state is ContentFilling)
                {
                    filling.Readers.Add(reader);
                    reader.AwaitEnd(filling);
                    return true;
                }
            }
        }

        // What the store has let go before anybody read it is not counted any more: it is gone in a moment.
        var readers = Volatile.Read(ref _readers);
        while ((readers & Gone) == 0)
        {
            var found = Interlocked.CompareExchange(ref _readers, readers + 1, readers);
            if (found == readers)
            {
                reader.IsCounted = true;
                break;
            }

            readers = found;
        }

        return true;
    }

    /// <summary>A reader is done.</summary>
    /// <param name="reader">Who began to read.</param>
    /// <param name="store">Where the content was counted.</param>
    public void Leave(ContentReader reader, AnswerStore store)
    {
        if (_state is ContentFilling filling)
        {
            lock (filling.Gate)
            {
                if (_state is ContentFilling)
                {
                    if (filling.Readers.Remove(reader))
                    {
                        ReadersMoved(filling);
                    }

                    return;
                }
            }
        }

        if (reader.IsCounted)
        {
            reader.IsCounted = false;
            if (Interlocked.Decrement(ref _readers) == Gone)
            {
                store.Release(Length);
            }
        }
    }

    /// <summary>The store lets it go. While somebody reads it, it takes its room all the same, and the last reader gives that back.</summary>
    /// <returns>The room that is free at once.</returns>
    public long LetGo()
    {
        var readers = Interlocked.Or(ref _readers, Gone);
        return (readers & Gone) == 0 && readers > 0 ? 0 : Length;
    }

    /// <summary>Copies what is there behind an offset.</summary>
    /// <returns>0 when nothing is there yet; the reader is woken when there is.</returns>
    /// <exception cref="MessageBodyException">Nothing more will come.</exception>
    public int Read(ContentReader reader, long offset, Span<byte> into)
    {
        if (_state is not ContentFilling filling)
        {
            // Nothing changes any more.
            return Copy(offset, into);
        }

        lock (filling.Gate)
        {
            if (offset < _length)
            {
                var count = Copy(offset, into);
                reader.Position = offset + count;
                ReadersMoved(filling);
                return count;
            }

            return filling.Failure is { } failure ? throw new MessageBodyException(failure) : 0;
        }
    }

    private int Copy(long offset, Span<byte> into)
    {
        if (_state is HeldParts parts)
        {
            return parts.Copy(offset, into);
        }

        if (offset >= _length)
        {
            return 0;
        }

        switch (_state)
        {
            case byte[] single:
                return CopyFrom(single.AsSpan((int)(single.Length - _length + offset)), into);
            case byte[][] whole:
                return CopyFrom(whole[(int)(offset / PieceBytes)].AsSpan((int)(offset % PieceBytes)), into);
            default:
                var filling = (ContentFilling)_state;
                var there = filling.Packed is { } packed
                    ? packed.AsSpan((int)(filling.PackedStart + offset), (int)(_length - offset))
                    : filling.Pieces[(int)(offset / PieceBytes)].AsSpan((int)(offset % PieceBytes));
                return CopyFrom(there[..(int)Math.Min(there.Length, _length - offset)], into);
        }
    }

    private static int CopyFrom(ReadOnlySpan<byte> from, Span<byte> into)
    {
        var count = Math.Min(from.Length, into.Length);
        from[..count].CopyTo(into);
        return count;
    }

    private void Add(ContentFilling filling, ReadOnlySpan<byte> bytes)
    {
        if (filling.Packed is { } packed)
        {
            bytes.CopyTo(packed.AsSpan((int)(filling.PackedStart + _length)));
            Interlocked.Add(ref _length, bytes.Length);
            return;
        }

        while (!bytes.IsEmpty)
        {
            var (index, offset) = ((int)(_length / PieceBytes), (int)(_length % PieceBytes));
            var piece = Piece(filling, index, offset + bytes.Length);
            var count = Math.Min(bytes.Length, piece.Length - offset);
            bytes[..count].CopyTo(piece.AsSpan(offset));
            bytes = bytes[count..];
            Interlocked.Add(ref _length, count);
        }
    }

    /// <summary>The bytes, with no spare room.</summary>
    private object Trimmed(ContentFilling filling)
    {
        if (filling.Packed is { } packed)
        {
            // Less came than was announced.
            return packed.AsSpan((int)filling.PackedStart, (int)_length).ToArray();
        }

        var pieces = filling.Pieces;
        var used = (int)((_length + PieceBytes - 1) / PieceBytes);
        if (used == 0)
        {
            return Array.Empty<byte>();
        }

        Array.Resize(ref pieces, used);
        var last = (int)(_length - ((long)(used - 1) * PieceBytes));
        if (pieces[used - 1].Length != last)
        {
            Array.Resize(ref pieces[used - 1], last);
        }

        return used == 1 ? pieces[0] : pieces;
    }

    private static byte[] Piece(ContentFilling filling, int index, int wanted)
    {
        if (index >= filling.Pieces.Length)
        {
            var known = filling.Total != ContentFilling.Unknown && filling.IsKept ? (int)((filling.Total + PieceBytes - 1) / PieceBytes) : 0;
            var pieces = filling.Pieces;
            Array.Resize(ref pieces, Math.Max(index + 1, Math.Max(known, pieces.Length * 2)));
            filling.Pieces = pieces;
        }

        ref var piece = ref filling.Pieces[index];
        if (piece is null || piece.Length < Math.Min(wanted, PieceBytes))
        {
            var exact = filling.Total != ContentFilling.Unknown ? filling.Total - ((long)index * PieceBytes) : Math.Max(FirstPieceBytes, Math.Max(wanted, (piece?.Length ?? 0) * 2L));
            Array.Resize(ref piece, (int)Math.Min(PieceBytes, Math.Max(exact, Math.Min(wanted, PieceBytes))));
        }

        return piece!;
    }

    private void ReadersMoved(ContentFilling filling)
    {
        if (!filling.IsKept)
        {
            Release(filling);
        }

        if (filling.Filler is { } filler && HasRoom(filling))
        {
            filler.Set();
        }
    }

    private bool HasRoom(ContentFilling filling) =>
        filling.Readers.Count == 0 || (filling.IsKept ? _length - filling.Fastest() < AheadBytes : _length - filling.Slowest() < WindowBytes);

    /// <summary>Lets go of what every reader has read, and of everything when nobody reads and nobody will.</summary>
    private void Release(ContentFilling filling)
    {
        if (filling.Readers.Count == 0)
        {
            filling.Packed = null;
            filling.Pieces = [];
            filling.Store?.Release(filling.Held);
            filling.Held = 0;
            return;
        }

        var pieces = filling.Pieces;
        for (var i = filling.Packed is null ? (int)(Math.Min(_length, filling.Slowest()) / PieceBytes) - 1 : -1; i >= 0 && pieces[i] is not null; i--)
        {
            pieces[i] = null!;
            filling.Held -= PieceBytes;
            filling.Store?.Release(PieceBytes);
        }
    }
}
