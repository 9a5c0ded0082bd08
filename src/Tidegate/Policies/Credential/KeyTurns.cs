namespace Tidegate.Policies.Credential;

/// <summary>Whose turn it is among keys with weights: evenly mixed, so that a key of weight two never has both of its turns at once.</summary>
internal sealed class KeyTurns
{
    private readonly int[] _turns;
    private int _last = -1;

    /// <param name="weights">Of each key, from 1.</param>
    public KeyTurns(IReadOnlyList<int> weights)
    {
        // Smooth weighted round robin, worked out beforehand: everyone gains its weight, who has most is next and pays for all.
        var total = weights.Sum();
        var credit = new int[weights.Count];
        _turns = new int[total];
        for (var turn = 0; turn < total; turn++)
        {
            var most = 0;
            for (var i = 0; i < credit.Length; i++)
            {
                credit[i] += weights[i];
                most = credit[i] > credit[most] ? i : most;
            }

            credit[most] -= total;
            _turns[turn] = most;
        }
    }

    /// <summary>Turns until all begin anew.</summary>
    public int Count => _turns.Length;

    /// <summary>Another turn.</summary>
    public int Next() => (int)((uint)Interlocked.Increment(ref _last) % (uint)_turns.Length);

    /// <summary>Whose it is, that many after a turn.</summary>
    public int KeyAt(int turn, int after) => _turns[(turn + after) % _turns.Length];
}
