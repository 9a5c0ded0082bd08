namespace Tidegate.Policies.Cache;

/// <summary>Answers in the order in which they came. Links are in the answers, so that one leaves from anywhere at no cost.</summary>
internal sealed class AnswerQueue(AnswerPlace place)
{
    private StoredAnswer? _newest;
    private StoredAnswer? _oldest;

    public long Bytes { get; private set; }

    public StoredAnswer? Oldest => _oldest;

    public void Add(StoredAnswer answer)
    {
        answer.Place = place;
        answer.Older = _newest;
        answer.Newer = null;
        if (_newest is not null)
        {
            _newest.Newer = answer;
        }

        _newest = answer;
        _oldest ??= answer;
        Bytes += answer.Bytes;
    }

    public void Remove(StoredAnswer answer)
    {
        if (answer.Newer is not null)
        {
            answer.Newer.Older = answer.Older;
        }
        else
        {
            _newest = answer.Older;
        }

        if (answer.Older is not null)
        {
            answer.Older.Newer = answer.Newer;
        }
        else
        {
            _oldest = answer.Newer;
        }

        answer.Newer = null;
        answer.Older = null;
        answer.Place = AnswerPlace.None;
        Bytes -= answer.Bytes;
    }
}

/// <summary>Which queue an answer is in.</summary>
internal enum AnswerPlace : byte
{
    None,
    Small,
    Main,
}
