namespace Tidegate.Dashboard.SignIn;

/// <summary>
/// Who waits until a password is looked at, or has theirs looked at: a few, of one network fewer, so that whoever sends many at once takes no place from others.
/// </summary>
internal sealed class SignInPlaces
{
    /// <summary>Each takes some 20 ms: the last waits a sixth of a second.</summary>
    public const int Most = 8;

    /// <summary>Whose colleague signs in at the very same moment waits for them; a third tries again.</summary>
    public const int MostOfNetwork = 2;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _taken = [];
    private int _all;

    /// <summary>Takes a place.</summary>
    /// <returns>Null: it has one. Else what to tell them.</returns>
    public string? TryTake(string network)
    {
        lock (_gate)
        {
            var ofNetwork = _taken.GetValueOrDefault(network);
            if (ofNetwork >= MostOfNetwork)
            {
                return "Too many people of your network sign in at this moment. Try again.";
            }

            if (_all >= Most)
            {
                return "Too many people sign in at this moment. Try again.";
            }

            _all++;
            _taken[network] = ofNetwork + 1;
            return null;
        }
    }

    public void Leave(string network)
    {
        lock (_gate)
        {
            _all--;
            if (--_taken[network] == 0)
            {
                _taken.Remove(network);
            }
        }
    }
}
