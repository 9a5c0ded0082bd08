using System.Security.Cryptography;
using Tidegate.Control.Admin;

namespace Tidegate.Dashboard.SignIn;

/// <summary>Who is signed in. Bounded: the oldest makes room. Kept over a restart where there is a file: without any key, which only browsers have.</summary>
internal sealed class Sessions(TimeProvider time, SessionFile? file = null)
{
    // Several browsers of everybody who looks after one gateway.
    private const int Capacity = 256;

    // Of one person: the oldest of its own makes room, not others'.
    private const int CapacityEach = 32;

    // 256 bits: not to be guessed.
    private const int KeyBytes = 32;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Session> _sessions = [];

    /// <summary>When everything that happened until now also holds after a restart.</summary>
    public Task Saved => file?.Saved ?? Task.CompletedTask;

    /// <summary>Takes back the sessions of the last process. Whether what somebody signed in by is as it was shows when their key comes.</summary>
    /// <param name="access">In force now.</param>
    /// <param name="life">How long a session holds now: none goes on for longer.</param>
    public void TakeBack(AdminAccess access, TimeSpan life)
    {
        var saved = file?.Read() ?? [];
        lock (_gate)
        {
            var now = time.GetUtcNow();
            foreach (var session in saved.Where(session => session.Ends > now).DistinctBy(session => session.Hash).OrderByDescending(session => session.Ends).Take(Capacity))
            {
                if (session.Proof.Of(access) is { } means)
                {
                    var left = session.Ends - now;
                    Add(session, means, left < life ? left : life, isKnown: false);
                }
            }

            if (_sessions.Count < saved.Count)
            {
                // Without those that ended meanwhile.
                Save();
            }
        }
    }

    /// <summary>Begins a session and gives its key, which only the browser keeps.</summary>
    /// <param name="caller">Who signed in.</param>
    /// <param name="proof">By what.</param>
    /// <param name="access">What was in force then.</param>
    /// <param name="life">How long it holds.</param>
    /// <param name="replaced">The key that the browser came with, whose session ends soon: it takes nobody's place, and nobody's is taken for it.</param>
    public string Begin(AdminCaller caller, SignInProof proof, AdminAccess access, TimeSpan life, string? replaced = null)
    {
        var key = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(KeyBytes));
        var leaving = replaced is null ? null : SavedSession.HashOf(replaced);
        lock (_gate)
        {
            var staying = _sessions.Where(session => session.Key != leaving).ToList();
            var own = staying.Where(session => caller.IsOnePerson && session.Value.Caller.Name == caller.Name).ToList();
            if (own.Count >= CapacityEach)
            {
                EndUnderGate(own.MinBy(session => session.Value.Ends).Key);
            }
            else if (staying.Count >= Capacity)
            {
                EndUnderGate(staying.MinBy(session => session.Value.Ends).Key);
            }

            var means = proof.Of(access);
            Add(SavedSession.Of(key, caller, proof, means ?? "", time.GetUtcNow() + life), means, life, isKnown: true);
            Save();
        }

        return key;
    }

    /// <summary>Whose session a key is, and when that ends; null when it does not hold any more.</summary>
    public AdminCaller? Find(string? key, AdminAccess access, out CancellationToken ended)
    {
        ended = default;
        if (key is not { Length: KeyBytes * 2 })
        {
            return null;
        }

        // Found by its hash: how long the search takes says nothing about any key.
        var hash = SavedSession.HashOf(key);
        lock (_gate)
        {
            if (!_sessions.TryGetValue(hash, out var session))
            {
                return null;
            }

            if (!Holds(session, access) || !session.Knows(key))
            {
                EndUnderGate(hash);
                return null;
            }

            ended = session.Ended.Token;
            return session.Caller;
        }
    }

    /// <summary>Ends a session; what it has open is closed.</summary>
    public void End(string? key)
    {
        lock (_gate)
        {
            if (key is not null)
            {
                EndUnderGate(SavedSession.HashOf(key));
            }
        }
    }

    /// <summary>Ends every session that another configuration would not have begun.</summary>
    public void EndOthers(AdminAccess access)
    {
        lock (_gate)
        {
            foreach (var hash in _sessions.Where(session => !Holds(session.Value, access)).Select(session => session.Key).ToList())
            {
                EndUnderGate(hash);
            }
        }
    }

    private void Add(SavedSession saved, string? means, TimeSpan life, bool isKnown)
    {
        var session = new Session(saved, means, time.GetUtcNow() + life, new CancellationTokenSource(life, time)) { IsKnown = isKnown };
        session.Ended.Token.UnsafeRegister(static sessions => ((Sessions)sessions!).Save(), this);
        _sessions.Add(saved.Hash, session);
    }

    private void Save() => file?.Save(() =>
    {
        lock (_gate)
        {
            return [.. _sessions.Values.Where(session => !session.Ended.IsCancellationRequested).Select(session => session.Saved)];
        }
    });

    private bool Holds(Session session, AdminAccess access) => session.Ends > time.GetUtcNow() && session.Means is { } means && session.Proof.Of(access) == means;

    private void EndUnderGate(string hash)
    {
        if (_sessions.Remove(hash, out var session))
        {
            session.Ended.Cancel();
            session.Ended.Dispose();
        }
    }

    /// <param name="Saved">What is kept of it.</param>
    /// <param name="Means">What its proof stands for, which must stay so.</param>
    /// <param name="Ends">When.</param>
    /// <param name="Ended">Closes what it has open.</param>
    private sealed record Session(SavedSession Saved, string? Means, DateTimeOffset Ends, CancellationTokenSource Ended)
    {
        /// <summary>Its proof is known to stand for the same as when it was begun.</summary>
        public bool IsKnown { get; set; }

        public AdminCaller Caller => Saved.Caller;

        public SignInProof Proof => Saved.Proof;

        public bool Knows(string key) => IsKnown = IsKnown || Saved.IsOf(key, Means!);
    }
}
