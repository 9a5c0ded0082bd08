namespace Tidegate.Control.Store;

/// <summary>
/// What all that answers questions about exchanges, and makes segments of them, may take of the machine's memory together. Each asks for the most that it can take, gets it in the order of
/// asking, and waits while there is no room: heavy ones run in turn.
/// </summary>
internal sealed class EngineMemory
{
    /// <summary>With some 16 MB for what the control plane keeps itself (sums of this hour, recent exchanges), 400.</summary>
    public const int Megabytes = 384;

    /// <summary>The engine that searches segments.</summary>
    public const int Search = 256;

    /// <summary>The engine that makes segments, 128, and the records on their way through it.</summary>
    public const int Maker = 160;

    /// <summary>The engine that makes a Parquet file for people, which searches meanwhile: with half of it a file of 100,000 exchanges cannot be made.</summary>
    public const int Export = 128;

    /// <summary>One reading of sums, by the points that it may make.</summary>
    public const int Series = 64;

    private readonly Lock _gate = new();
    private readonly LinkedList<EngineRoom> _waiting = [];
    private int _taken;

    /// <summary>Somebody waits: whoever keeps room only to be faster the next time gives it back. Raised on the thread that asks.</summary>
    public event Action? Wanted;

    /// <summary>Somebody waits.</summary>
    public bool IsWanted
    {
        get
        {
            lock (_gate)
            {
                return _waiting.Count > 0;
            }
        }
    }

    /// <summary>What is given away.</summary>
    public int Taken
    {
        get
        {
            lock (_gate)
            {
                return _taken;
            }
        }
    }

    /// <summary>Asks, for whoever does not wait itself.</summary>
    public EngineRoom Ask(int megabytes)
    {
        var room = new EngineRoom(this, megabytes);
        lock (_gate)
        {
            _waiting.AddLast(room);
            Give();
        }

        if (!room.IsTaken)
        {
            Wanted?.Invoke();
        }

        return room;
    }

    /// <summary>Asks and waits.</summary>
    /// <exception cref="OperationCanceledException">Others took too long.</exception>
    public async Task<EngineRoom> TakeAsync(int megabytes, TimeSpan patience, CancellationToken cancellationToken)
    {
        var room = Ask(megabytes);
        try
        {
            await room.Taken.WaitAsync(patience, cancellationToken);
            return room;
        }
        catch (TimeoutException late)
        {
            room.Dispose();
            throw new OperationCanceledException("Other queries take too long.", late);
        }
        catch
        {
            room.Dispose();
            throw;
        }
    }

    internal void GiveBack(EngineRoom room)
    {
        lock (_gate)
        {
            if (room.IsTaken)
            {
                _taken -= room.Megabytes;
            }
            else
            {
                _waiting.Remove(room);
            }

            Give();
        }
    }

    private void Give()
    {
        while (_waiting.First?.Value is { } next && _taken + next.Megabytes <= Megabytes)
        {
            _waiting.RemoveFirst();
            _taken += next.Megabytes;
            next.Take();
        }
    }
}

/// <summary>A part of it, asked for or taken; given back once.</summary>
internal sealed class EngineRoom(EngineMemory memory, int megabytes) : IDisposable
{
    private readonly TaskCompletionSource _taken = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _isGivenBack;

    public int Megabytes => megabytes;

    public bool IsTaken => _taken.Task.IsCompleted;

    /// <summary>Complete when it is.</summary>
    public Task Taken => _taken.Task;

    internal void Take() => _taken.SetResult();

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isGivenBack, 1) == 0)
        {
            memory.GiveBack(this);
        }
    }
}
