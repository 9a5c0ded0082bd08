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
    private const long Unknown = -1;

    private byte[][] _pieces = [];
    private long _length;
    private long _total = Unknown;

    // Who reads complete content that is kept; with Gone, once the store has let it go.
    private int _readers;

    // What only matters while it fills, and for content that is not kept: a million stored answers do without it.
    private volatile Filling? _filling;

    /// <param name="store">Where room for it is taken; null where nobody counts.</param>
    /// <param name="key">Where it belongs there.</param>
    public StoredContent(AnswerStore? store = null, UInt128 key = default) => _filling = new Filling { Store = store, Key = key };

    /// <summary>Bytes in all, once known.</summary>
    public long? TotalLength
    {
        get => Volatile.Read(ref _total) is var total && total == Unknown ? null : total;
        init => _total = value ?? Unknown;
    }

    /// <summary>Everything is there.</summary>
    public bool IsComplete => _filling is not { } filling || filling.IsComplete;

    /// <summary>Somebody reads it while it comes.</summary>
    public bool HasReaders
    {
        get
        {
            if (_filling is not { } filling)
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
    public HeaderList? Trailers => _filling?.Trailers;

    /// <summary>Bytes so far.</summary>
    public long Length => Interlocked.Read(ref _length);

    /// <summary>All of it, piece by piece, once complete and kept.</summary>
    public ReadOnlyMemory<byte>[] Pieces
    {
        get
        {
            var pieces = new ReadOnlyMemory<byte>[(_length + PieceBytes - 1) / PieceBytes];
            for (var i = 0; i < pieces.Length; i++)
            {
                pieces[i] = _pieces[i].AsMemory(0, (int)Math.Min(PieceBytes, _length - ((long)i * PieceBytes)));
            }

            return pieces;
        }
    }

    /// <summary>False once it is only a window: nobody may begin to read it.</summary>
    public bool IsKept { get; private set; } = true;

    /// <summary>Takes room in the store for what comes next; false when there is none.</summary>
    public bool TryReserve(int bytes)
    {
        var filling = _filling!;
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
        var filling = _filling!;
        lock (filling.Gate)
        {
            if (!IsKept)
            {
                // A window is small, and what it takes is counted all the same: others make room for it.
                filling.Held += bytes.Length;
                filling.Store?.Take(bytes.Length);
            }

            while (!bytes.IsEmpty)
            {
                var (index, offset) = ((int)(_length / PieceBytes), (int)(_length % PieceBytes));
                var piece = Piece(index, offset + bytes.Length);
                var count = Math.Min(bytes.Length, piece.Length - offset);
                bytes[..count].CopyTo(piece.AsSpan(offset));
                bytes = bytes[count..];
                Interlocked.Add(ref _length, count);
            }

            filling.Wake();
        }
    }

    /// <summary>Nothing more comes. Spare room is given back.</summary>
    /// <param name="trailers">What came behind it.</param>
    /// <returns>The room that was taken in the store, and is the caller's from now on; 0 when the content is not kept.</returns>
    public long Complete(HeaderList? trailers = null)
    {
        var filling = _filling!;
        lock (filling.Gate)
        {
            if (trailers is { Count: > 0 })
            {
                // The upstream's own list goes with its exchange.
                filling.Trailers = new HeaderList();
                filling.Trailers.AddAll(trailers);
                IsKept = false;
            }
            else
            {
                Volatile.Write(ref _total, _length);
            }

            if (!IsKept)
            {
                filling.IsComplete = true;
                Release(filling);
                filling.Wake();
                return 0;
            }

            if (_pieces.Length > 0)
            {
                var used = (int)((_length + PieceBytes - 1) / PieceBytes);
                Array.Resize(ref _pieces, used);
                var last = (int)(_length - ((long)(used - 1) * PieceBytes));
                if (used > 0 && _pieces[used - 1].Length != last)
                {
                    Array.Resize(ref _pieces[used - 1], last);
                }
            }

            foreach (var reader in filling.Readers)
            {
                reader.IsCounted = true;
            }

            _readers = filling.Readers.Count;
            _filling = null;
            filling.Wake();
            return filling.Held;
        }
    }

    /// <summary>The rest will not come. Readers get what there is, and then the failure.</summary>
    public void Fail(Failure failure)
    {
        var filling = _filling!;
        lock (filling.Gate)
        {
            filling.Failure = failure;
            IsKept = false;
            Release(filling);
            filling.Wake();
        }
    }

    /// <summary>From now on what every reader has read is let go.</summary>
    public void BecomeWindow()
    {
        var filling = _filling!;
        lock (filling.Gate)
        {
            IsKept = false;
            Release(filling);
        }
    }

    /// <summary>Waits until the readers have caught up: for content that is kept the fastest one, for a window the slowest.</summary>
    public ValueTask WaitForRoomAsync()
    {
        var filling = _filling!;
        lock (filling.Gate)
        {
            return HasRoom(filling) ? default : (filling.Filler ??= new HomeSignal()).WaitAsync();
        }
    }

    /// <summary>A reader begins; false when it comes too late for that.</summary>
    public bool TryJoin(ContentReader reader)
    {
        if (_filling is { } filling)
        {
            lock (filling.Gate)
            {
                if (!IsKept)
                {
                    return false;
                }

                if (_filling is not null)
                {
                    filling.Readers.Add(reader);
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
        if (_filling is { } filling)
        {
            lock (filling.Gate)
            {
                if (_filling is not null)
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
        if (_filling is not { } filling)
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
        if (offset >= _length)
        {
            return 0;
        }

        var (index, start) = ((int)(offset / PieceBytes), (int)(offset % PieceBytes));
        var count = Math.Min((int)Math.Min(PieceBytes - start, _length - offset), into.Length);
        _pieces[index].AsSpan(start, count).CopyTo(into);
        return count;
    }

    private byte[] Piece(int index, int wanted)
    {
        if (index >= _pieces.Length)
        {
            var known = _total != Unknown && IsKept ? (int)((_total + PieceBytes - 1) / PieceBytes) : 0;
            Array.Resize(ref _pieces, Math.Max(index + 1, Math.Max(known, _pieces.Length * 2)));
        }

        ref var piece = ref _pieces[index];
        if (piece is null || piece.Length < Math.Min(wanted, PieceBytes))
        {
            var exact = _total != Unknown ? _total - ((long)index * PieceBytes) : Math.Max(FirstPieceBytes, Math.Max(wanted, (piece?.Length ?? 0) * 2L));
            Array.Resize(ref piece, (int)Math.Min(PieceBytes, Math.Max(exact, Math.Min(wanted, PieceBytes))));
        }

        return piece!;
    }

    private void ReadersMoved(Filling filling)
    {
        if (!IsKept)
        {
            Release(filling);
        }

        if (filling.Filler is { } filler && HasRoom(filling))
        {
            filler.Set();
        }
    }

    private bool HasRoom(Filling filling) =>
        filling.Readers.Count == 0 || (IsKept ? _length - filling.Fastest() < AheadBytes : _length - filling.Slowest() < WindowBytes);

    /// <summary>Lets go of what every reader has read, and of everything when nobody reads and nobody will.</summary>
    private void Release(Filling filling)
    {
        if (filling.Readers.Count == 0)
        {
            _pieces = [];
            filling.Store?.Release(filling.Held);
            filling.Held = 0;
            return;
        }

        for (var i = (int)(Math.Min(_length, filling.Slowest()) / PieceBytes) - 1; i >= 0 && _pieces[i] is not null; i--)
        {
            _pieces[i] = null!;
            filling.Held -= PieceBytes;
            filling.Store?.Release(PieceBytes);
        }
    }

    private sealed class Filling
    {
        private volatile bool _isComplete;

        public Lock Gate { get; } = new();

        public AnswerStore? Store { get; init; }

        public UInt128 Key { get; init; }

        /// <summary>Bytes of the store's room that it takes.</summary>
        public long Held { get; set; }

        /// <summary>Everything has come, and is not kept.</summary>
        public bool IsComplete { get => _isComplete; set => _isComplete = value; }

        public HeaderList? Trailers { get; set; }

        public List<ContentReader> Readers { get; } = [];

        /// <summary>Whoever fills waits here for the readers.</summary>
        public HomeSignal? Filler { get; set; }

        /// <summary>Why there will be no more.</summary>
        public Failure? Failure { get; set; }

        public long Slowest()
        {
            var slowest = long.MaxValue;
            foreach (var reader in Readers)
            {
                slowest = Math.Min(slowest, reader.Position);
            }

            return slowest;
        }

        public long Fastest()
        {
            var fastest = 0L;
            foreach (var reader in Readers)
            {
                fastest = Math.Max(fastest, reader.Position);
            }

            return fastest;
        }

        public void Wake()
        {
            foreach (var reader in Readers)
            {
                reader.Signal.Set();
            }
        }
    }
}
