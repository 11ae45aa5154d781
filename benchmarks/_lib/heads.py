"""English classifiers, and bags of words below them."""

from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline

from .data import SEED

HEAD = {"C": 10, "max_iter": 2000}
CS = (0.1, 1.0, 10.0, 100.0)
FOLDS = 5


def head() -> LogisticRegression:
    """Classifier with one C for every table but that of the grid."""
    return LogisticRegression(**HEAD)


def fit_head(X, y) -> LogisticRegression:
    """Classifier whose C is chosen by cross-validation on the rows it is fitted on."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    search = GridSearchCV(LogisticRegression(max_iter=2_000), {"C": CS}, cv=folds)
    return search.fit(X, y).best_estimator_


def tfidf_vectors(texts) -> Pipeline:
    """TF-IDF and SVD, fitted on texts."""
    return make_pipeline(
        TfidfVectorizer(sublinear_tf=True, min_df=2),
        TruncatedSVD(min(200, len(texts) - 1), random_state=SEED),
    ).fit(texts)
