namespace Tidegate.Control.Store;

/// <summary>Says what is wrong once, until that is something else, and that it is over. Not thread-safe.</summary>
internal sealed class ToldOnce(Action<string> log)
{
    private string _told = "";

    public void Tell(string trouble)
    {
        if (trouble != _told)
        {
            _told = trouble;
            log(trouble);
        }
    }

    /// <summary>It is over; says so, if it was said to be wrong.</summary>
    /// <returns>Whether it was.</returns>
    public bool Over(string what)
    {
        if (_told.Length == 0)
        {
            return false;
        }

        _told = "";
        log(what);
        return true;
    }
}
